import type { Message, Notification, Open } from '@calico/bgp-wire';
import type { Side } from '../session/types.ts';

export type Direction = 'sent' | 'received';

export type Farewell = { readonly direction: Direction; readonly notification: Notification };

type Talk = { sent?: Open; received?: Open; farewell?: Farewell };

/** What monitoring wants to know of the sessions' messages: how they were opened, and how they ended. */
export class SessionLog {
  readonly #talks = new Map<string, Talk>();

  observe(peer: string, side: Side, direction: Direction, message: Message): void {
    const key = `${peer}|${side}`;
    if (message.kind === 'open') {
      const talk = direction === 'sent' ? {} : (this.#talks.get(key) ?? {});
      this.#talks.set(key, { ...talk, [direction]: message });
    } else if (message.kind === 'notification') {
      const talk = this.#talks.get(key) ?? {};
      this.#talks.set(key, { ...talk, farewell: { direction, notification: message } });
    }
  }

  opens(peer: string, side: Side): { readonly sent: Open; readonly received: Open } | undefined {
    const { sent, received } = this.#talks.get(`${peer}|${side}`) ?? {};
    return sent === undefined || received === undefined ? undefined : { sent, received };
  }

  farewell(peer: string, side: Side): Farewell | undefined {
    return this.#talks.get(`${peer}|${side}`)?.farewell;
  }
}
