import type { SessionMessage } from '../host/session_message.ts';
import type { Side } from '../session/types.ts';
import type { Peer } from '../speaker/peer.ts';

export type Farewell = Pick<SessionMessage, 'direction' | 'bytes'>;

/** Whole messages of one connection, as they were on the wire. */
type Talk = {
  readonly connection: object;
  readonly sent?: Uint8Array;
  readonly received?: Uint8Array;
  readonly farewell?: Farewell;
};

/** What monitoring wants to know of the sessions' messages: how they were opened, and how they ended. */
export class SessionLog {
  readonly #talks = new WeakMap<Peer, Map<Side, Talk>>();

  observe(peer: Peer, { side, connection, direction, kind, bytes }: SessionMessage): void {
    if (kind !== 'open' && kind !== 'notification') return;
    const talks = this.#talks.get(peer) ?? new Map<Side, Talk>();
    this.#talks.set(peer, talks);
    const known = talks.get(side);
    const talk = known?.connection === connection ? known : { connection };
    const news = kind === 'open' ? { [direction]: bytes } : { farewell: { direction, bytes } };
    talks.set(side, { ...talk, ...news });
  }

  /** The OPEN messages of a session. */
  opens(
    peer: Peer,
    side: Side,
  ): { readonly sent: Uint8Array; readonly received: Uint8Array } | undefined {
    const { sent, received } = this.#talks.get(peer)?.get(side) ?? {};
    return sent === undefined || received === undefined ? undefined : { sent, received };
  }

  /** The NOTIFICATION that ended a session. */
  farewell(peer: Peer, side: Side): Farewell | undefined {
    return this.#talks.get(peer)?.get(side)?.farewell;
  }
}
