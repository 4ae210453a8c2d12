import {
  DEFAULT_CONTEXT,
  decodeMessage,
  encodeMessage,
  type Frame,
  type Message,
  MessageFramer,
  type Notification,
  ProtocolError,
  type WireContext,
} from '@calico/bgp-wire';
import type { Connection } from '../../ports.ts';
import { faultOf } from '../session/fault.ts';
import type { Side } from '../session/types.ts';

export type Malformed = {
  readonly kind: 'malformed';
  readonly notification: Notification;
  readonly reason: string;
  /** What we have failed by, where it is not the peer's mistake. */
  readonly fault?: unknown;
};

export type Received =
  /** The connection that was dialled is there. */
  | { readonly kind: 'opened' }
  | { readonly kind: 'frame'; readonly frame: Frame }
  | Malformed
  /** The connection ended after everything else was read. */
  | { readonly kind: 'closed'; readonly reason: string };

/** So much may wait to be read; the connection rests meanwhile. */
const INBOX_BYTES = 256 * 1024;

/** One connection with what is needed to read it. */
export class Link {
  connection: Connection | undefined;
  /** Known once an accepted connection has been adopted. */
  side: Side = 'outgoing';
  /** What was sent waits for the peer to read. */
  isBlocked = false;
  readonly #framer = new MessageFramer();
  readonly #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #isResting = false;
  #isOpened = false;
  #closed: string | undefined;
  #context: WireContext = DEFAULT_CONTEXT;

  get isClosed(): boolean {
    return this.connection === undefined;
  }

  get context(): WireContext {
    return this.#context;
  }

  readAs(context: WireContext): void {
    this.#context = context;
    if (context.extendedMessages) this.#framer.allowExtendedMessages();
  }

  /** The far end has answered. */
  open(): void {
    this.#isOpened = true;
  }

  push(bytes: Uint8Array): void {
    this.#inbox.push(bytes);
    this.#inboxBytes += bytes.length;
    if (this.#isResting || this.#inboxBytes < INBOX_BYTES) return;
    this.#isResting = true;
    this.connection?.pause?.();
  }

  /** The far end is gone; what it has sent before is still read. */
  end(reason: string): void {
    this.#closed = reason;
  }

  /** What comes next, in the order of its arrival; undefined until more arrives. */
  next(): Received | undefined {
    if (this.#isOpened) {
      this.#isOpened = false;
      return { kind: 'opened' };
    }
    try {
      for (;;) {
        const frame = this.#framer.next();
        if (frame !== undefined) return { kind: 'frame', frame };
        const bytes = this.#inbox.shift();
        if (bytes === undefined) break;
        this.#inboxBytes -= bytes.length;
        this.#framer.push(bytes);
      }
    } catch (cause) {
      return malformed(cause);
    }
    if (this.#isResting) {
      this.#isResting = false;
      this.connection?.resume?.();
    }
    const reason = this.#closed;
    if (reason === undefined) return undefined;
    this.#closed = undefined;
    return { kind: 'closed', reason };
  }

  /** The message in the frame, read as was agreed so far. */
  decode(frame: Frame): { readonly kind: 'message'; readonly message: Message } | Malformed {
    try {
      return { kind: 'message', message: decodeMessage(frame, this.#context) };
    } catch (cause) {
      return malformed(cause);
    }
  }

  close(): void {
    this.connection?.close();
    this.connection = undefined;
  }

  /** Closes it before anybody takes part in it. @param farewell said before, if there is something to say */
  refuse(farewell: Notification | undefined): void {
    if (farewell === undefined) this.close();
    else this.#turnAway(encodeMessage(farewell, this.#context));
  }

  /** Resets it: one of too many. */
  reset(): void {
    this.#turnAway(undefined);
  }

  #turnAway(farewell: Uint8Array | undefined): void {
    const { connection } = this;
    if (connection?.turnAway === undefined) {
      if (farewell !== undefined) connection?.send(farewell);
      connection?.close();
    } else {
      connection.turnAway(farewell);
    }
    this.connection = undefined;
  }
}

function malformed(cause: unknown): Malformed {
  if (!(cause instanceof ProtocolError)) return { ...faultOf(cause), fault: cause };
  return { kind: 'malformed', notification: cause.notification, reason: cause.message };
}
