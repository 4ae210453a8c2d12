import {
  DEFAULT_CONTEXT,
  decodeMessage,
  type Message,
  MessageFramer,
  type Notification,
  ProtocolError,
  type WireContext,
} from '@calico/bgp-wire';
import type { Connection } from '../../ports.ts';
import type { Side } from '../session/types.ts';

export type Received =
  | { readonly kind: 'message'; readonly message: Message }
  | {
      readonly kind: 'malformed';
      readonly notification: Notification;
      readonly reason: string;
    };

/** One connection with what is needed to read it. */
export class Link {
  connection: Connection | undefined;
  /** Known once an accepted connection has been adopted. */
  side: Side = 'outgoing';
  /** What was sent waits for the peer to read. */
  isBlocked = false;
  #framer = new MessageFramer();
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

  push(bytes: Uint8Array): void {
    this.#framer.push(bytes);
  }

  /** The next message, read as was agreed so far; undefined until more bytes arrive. */
  next(): Received | undefined {
    try {
      const frame = this.#framer.next();
      if (frame === undefined) return undefined;
      return { kind: 'message', message: decodeMessage(frame, this.#context) };
    } catch (cause) {
      if (!(cause instanceof ProtocolError)) throw cause;
      return { kind: 'malformed', notification: cause.notification, reason: cause.message };
    }
  }

  close(): void {
    this.connection?.close();
    this.connection = undefined;
  }
}
