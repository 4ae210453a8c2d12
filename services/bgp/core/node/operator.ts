import { CeaseSubcode, cease, describeNotification } from '@calico/bgp-wire';
import type { Prefix } from '@calico/ip';
import type { Host } from '../host/host.ts';
import type { InjectedRoute } from '../speaker/injected_routes.ts';
import type { MessageCounter } from './message_counts.ts';

/**
 * A peer that sees a new connection before it has read why the old one ended takes us for restarted (RFC 4724
 * section 5), and its operator never sees the text.
 */
const REST_AFTER_RESET_MS = 1_000;

/** What operators and clients of this process ask of the speaker. */
export class Operator {
  readonly messages: MessageCounter;
  readonly #host: Host;
  readonly #listeners = new Set<() => void>();

  constructor(host: Host, messages: MessageCounter) {
    this.#host = host;
    this.messages = messages;
  }

  /** The session ends, with a text for the peer's operator (RFC 9003), and starts again after a second. */
  reset(peer: string, text: string): void {
    const notification = cease(CeaseSubcode.AdministrativeReset, text);
    const reason = `Sent: ${describeNotification(notification)}`;
    const event = { kind: 'reset', notification, reason, restMs: REST_AFTER_RESET_MS } as const;
    this.#host.order({ kind: 'session', peer, event });
  }

  /** 'in': the peer is asked for its routes again. 'out': it is told all of ours again. */
  refresh(peer: string, direction: 'in' | 'out'): void {
    this.#host.order({ kind: 'refresh', peer, direction });
  }

  /** Announces routes of a client as if they were own ones. */
  inject(client: string, routes: readonly InjectedRoute[]): void {
    this.#host.order({ kind: 'inject', client, routes });
  }

  /** @param prefixes undefined: all of the client's */
  takeBack(client: string, prefixes: readonly Prefix[] | undefined): void {
    this.#host.order({ kind: 'take-back', client, prefixes });
  }

  /** Calls back soon after anything about the peers has changed; answers how to stop that. */
  onPeers(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  peersChanged(): void {
    for (const listener of this.#listeners) listener();
  }
}
