import { encodeFrame, type Frame, type Message } from '@calico/bgp-wire';
import type { Side } from '../session/types.ts';

/** A message of a session, for those who follow what is said. */
export type SessionMessage = {
  readonly peer: string;
  readonly side: Side;
  /** The same for all messages of one connection. */
  readonly connection: object;
  readonly direction: 'sent' | 'received';
  readonly kind: Message['kind'];
  /** All of it, as it is on the wire. */
  readonly bytes: Uint8Array;
};

/** In the peer's own words: encoded again the message may be longer than any may be. */
export function receivedMessage(
  peer: string,
  side: Side,
  connection: object,
  { type, body }: Frame,
  { kind }: Message,
): SessionMessage {
  return {
    peer,
    side,
    connection,
    direction: 'received',
    kind,
    bytes: encodeFrame(type, body, true),
  };
}
