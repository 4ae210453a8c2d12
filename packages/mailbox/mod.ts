export { Mailbox, MailboxClosed } from './mailbox.ts';
export { type Recorded, RecordingError, record, replay } from './recording.ts';
