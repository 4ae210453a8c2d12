export { Mailbox, MailboxClosed } from './mailbox.ts';
export { type Recorded, RecordingError, record, recordLine, replay } from './recording.ts';
