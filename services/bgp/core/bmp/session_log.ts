import type { SessionMessage } from '../host/session_message.ts';
import type { Side } from '../session/types.ts';

export type Farewell = Pick<SessionMessage, 'direction' | 'bytes'>;

/** Whole messages, as they were on the wire. */
type Talk = {
  readonly sent?: Uint8Array;
  readonly received?: Uint8Array;
  readonly farewell?: Farewell;
};

/** What monitoring wants to know of the sessions' messages: how they were opened, and how they ended. */
export class SessionLog {
  readonly #talks = new Map<string, Talk>();

  observe({ peer, side, direction, kind, bytes }: SessionMessage): void {
    const key = `${peer}|${side}`;
    if (kind === 'open') {
      const talk = direction === 'sent' ? {} : (this.#talks.get(key) ?? {});
      this.#talks.set(key, { ...talk, [direction]: bytes });
    } else if (kind === 'notification') {
      const talk = this.#talks.get(key) ?? {};
      this.#talks.set(key, { ...talk, farewell: { direction, bytes } });
    }
  }

  /** The OPEN messages of a session. */
  opens(
    peer: string,
    side: Side,
  ): { readonly sent: Uint8Array; readonly received: Uint8Array } | undefined {
    const { sent, received } = this.#talks.get(`${peer}|${side}`) ?? {};
    return sent === undefined || received === undefined ? undefined : { sent, received };
  }

  /** The NOTIFICATION that ended a session. */
  farewell(peer: string, side: Side): Farewell | undefined {
    return this.#talks.get(`${peer}|${side}`)?.farewell;
  }
}
