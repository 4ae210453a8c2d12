import type { Notification } from './notification.ts';

const NOTHING = new Uint8Array(0);

/**
 * The peer broke the protocol so that the session must be reset; carries what to put into the
 * NOTIFICATION. Milder faults of an UPDATE are not thrown: they are its `problems`.
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;

  constructor(
    code: number,
    subcode: number,
    message: string,
    data: Uint8Array = NOTHING,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.subcode = subcode;
    this.data = data;
  }

  get notification(): Notification {
    return { kind: 'notification', code: this.code, subcode: this.subcode, data: this.data };
  }
}
