import { formatPrefix, type Prefix } from '@calico/ip';
import type { LocRib } from '../rib/loc_rib.ts';
import type { PathData } from '../rib/path.ts';
import type { SpeakerEvent } from './events.ts';

/** `data.nextHop` 0.0.0.0 or :: stands for this node. */
export type InjectedRoute = { readonly prefix: Prefix; readonly data: PathData };

type Client = { readonly source: number; readonly prefixes: Map<string, Prefix> };

/** More than the whole Internet has. */
const ROUTES_PER_CLIENT = 2_000_000;

/** Programs of one node, each under a name that it chooses. */
const MOST_CLIENTS = 64;

/** What clients of this process originate, in the routing table. Each client is a source of its own. */
export class InjectedRoutes {
  readonly #rib: LocRib;
  /** Routes that a client may have. */
  readonly limit: number;
  readonly #clients = new Map<string, Client>();
  /** Sources of clients that have no routes any more. */
  readonly #free: number[] = [];

  constructor(rib: LocRib, limit = ROUTES_PER_CLIENT) {
    this.#rib = rib;
    this.limit = limit;
  }

  /** Clients that may have routes at a time. */
  get mostClients(): number {
    return MOST_CLIENTS;
  }

  /** Whether the client has routes, or may have some. */
  admits(client: string): boolean {
    return this.#clients.has(client) || this.#clients.size < MOST_CLIENTS;
  }

  countOf(client: string): number {
    return this.#clients.get(client)?.prefixes.size ?? 0;
  }

  /** Those of routes that the client takes back meanwhile are left out. */
  prefixesOf(client: string): Iterable<Prefix> {
    return this.#clients.get(client)?.prefixes.values() ?? [];
  }

  /** How many the client would have with these; pauses after each. */
  *countWith(client: string, routes: readonly InjectedRoute[]): Generator<void, number, undefined> {
    const held = this.#clients.get(client)?.prefixes;
    const added = new Set<string>();
    for (const { prefix } of routes) {
      const text = formatPrefix(prefix);
      if (held?.has(text) !== true) added.add(text);
      yield;
    }
    return (held?.size ?? 0) + added.size;
  }

  take(event: Extract<SpeakerEvent, { readonly kind: 'inject' | 'take-back' }>): void {
    if (event.kind === 'inject') this.#put(event.client, event.routes);
    else this.#remove(event.client, event.prefixes);
  }

  #put(name: string, routes: readonly InjectedRoute[]): void {
    if (routes.length === 0) return;
    const client = this.#clientAt(name);
    const { source, prefixes } = client;
    for (const { prefix, data } of routes) {
      if (this.#rib.put({ prefix, data, source })) prefixes.set(formatPrefix(prefix), prefix);
    }
    this.#endEmpty(name, client);
  }

  /** @param wanted undefined: all of the client's */
  #remove(name: string, wanted: readonly Prefix[] | undefined): void {
    const client = this.#clients.get(name);
    if (client === undefined) return;
    const { source, prefixes } = client;
    for (const prefix of wanted ?? [...prefixes.values()]) {
      if (prefixes.delete(formatPrefix(prefix))) this.#rib.remove(prefix, source);
    }
    this.#endEmpty(name, client);
  }

  #endEmpty(name: string, { source, prefixes }: Client): void {
    if (prefixes.size > 0) return;
    this.#clients.delete(name);
    this.#free.push(source);
  }

  #clientAt(name: string): Client {
    let client = this.#clients.get(name);
    if (client === undefined) {
      client = { source: this.#sourceFor(name), prefixes: new Map() };
      this.#clients.set(name, client);
    }
    return client;
  }

  #sourceFor(name: string): number {
    const value = { kind: 'local', client: name } as const;
    const free = this.#free.pop();
    if (free === undefined) return this.#rib.paths.addSource(value);
    this.#rib.paths.setSource(free, value);
    return free;
  }
}
