import { CeaseSubcode, cease, describeNotification } from '@calico/bgp-wire';
import type { Prefix } from '@calico/ip';
import type { Host } from '../host/host.ts';
import type { Turns } from '../host/turns.ts';
import type { InjectedRoute, InjectedRoutes } from '../speaker/injected_routes.ts';
import { Errands, type Steps } from './errands.ts';
import type { MessageCounter } from './message_counts.ts';

/**
 * A peer that sees a new connection before it has read why the old one ended takes us for restarted (RFC 4724
 * section 5), and its operator never sees the text.
 */
const REST_AFTER_RESET_MS = 1_000;

/** Routes that are put or taken back in one step, with all that follows: about a millisecond. */
const SLICE = 256;

/** What operators and clients of this process ask of the speaker. */
export class Operator {
  readonly messages: MessageCounter;
  readonly #host: Host;
  readonly #injected: InjectedRoutes;
  readonly #errands: Errands;
  readonly #listeners = new Set<() => void>();

  constructor(host: Host, injected: InjectedRoutes, messages: MessageCounter, turns: Turns) {
    this.#host = host;
    this.#injected = injected;
    this.#errands = new Errands(turns);
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

  /**
   * Announces routes of a client as if they were own ones, after what the client has asked for before.
   * @param routes or what makes them; when it throws, nothing is announced
   * @returns how many the client has then
   */
  inject(
    client: string,
    routes: readonly InjectedRoute[] | Steps<readonly InjectedRoute[]>,
  ): Promise<number> {
    return this.#errands.run(client, this.#inject(client, routes));
  }

  /**
   * @param prefixes or what makes them; undefined: all of the client's
   * @returns how many of them the client had
   */
  takeBack(
    client: string,
    prefixes: readonly Prefix[] | Steps<readonly Prefix[]> | undefined,
  ): Promise<number> {
    return this.#errands.run(client, this.#takeBack(client, prefixes));
  }

  *#inject(
    client: string,
    given: readonly InjectedRoute[] | Steps<readonly InjectedRoute[]>,
  ): Steps<number> {
    const all = 'next' in given ? yield* given : given;
    for (const routes of slices(all)) {
      this.#host.order({ kind: 'inject', client, routes });
      yield;
    }
    return this.#injected.countOf(client);
  }

  *#takeBack(
    client: string,
    given: readonly Prefix[] | Steps<readonly Prefix[]> | undefined,
  ): Steps<number> {
    const before = this.#injected.countOf(client);
    const asked = given !== undefined && 'next' in given ? yield* given : given;
    for (const prefixes of slices(asked ?? this.#injected.prefixesOf(client))) {
      this.#host.order({ kind: 'take-back', client, prefixes });
      yield;
    }
    return before - this.#injected.countOf(client);
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

function* slices<T>(all: Iterable<T>): Generator<readonly T[], void, undefined> {
  let slice: T[] = [];
  for (const each of all) {
    slice.push(each);
    if (slice.length < SLICE) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}
