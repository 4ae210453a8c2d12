/** NATS cannot be reached, or lost a stream or consumer. Nothing is known of what was under way. */
export class BusUnavailable extends Error {
  override readonly name = 'BusUnavailable';
}

/** The subject's last message is another one than the publisher believed: someone else published. */
export class SequenceConflict extends Error {
  override readonly name = 'SequenceConflict';
  readonly subject: string;

  constructor(subject: string, expected: number, options?: ErrorOptions) {
    super(`Cannot publish on "${subject}": its last message is not number ${expected}`, options);
    this.subject = subject;
  }
}

/** A subject that is none of ours, or a name that cannot be one. */
export class SubjectError extends Error {
  override readonly name = 'SubjectError';
}

/** A message that does not hold what its subject promises. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
}
