import { formatPrefix, type Prefix } from '@calico/ip';
import type { LocRib } from '../rib/loc_rib.ts';
import type { PathData } from '../rib/path.ts';
import type { SpeakerEvent } from './events.ts';

/** `data.nextHop` 0.0.0.0 or :: stands for this node. */
export type InjectedRoute = { readonly prefix: Prefix; readonly data: PathData };

type Client = { readonly source: number; readonly prefixes: Map<string, Prefix> };

/** What clients of this process originate, in the routing table. Each client is a source of its own. */
export class InjectedRoutes {
  readonly #rib: LocRib;
  readonly #clients = new Map<string, Client>();
  /** Sources of clients that have no routes any more. */
  readonly #free: number[] = [];

  constructor(rib: LocRib) {
    this.#rib = rib;
  }

  countOf(client: string): number {
    return this.#clients.get(client)?.prefixes.size ?? 0;
  }

  take(event: Extract<SpeakerEvent, { readonly kind: 'inject' | 'take-back' }>): void {
    if (event.kind === 'inject') this.#put(event.client, event.routes);
    else this.#remove(event.client, event.prefixes);
  }

  #put(name: string, routes: readonly InjectedRoute[]): void {
    if (routes.length === 0) return;
    const { source, prefixes } = this.#clientAt(name);
    for (const { prefix, data } of routes) {
      prefixes.set(formatPrefix(prefix), prefix);
      this.#rib.put({ prefix, data, source });
    }
  }

  /** @param wanted undefined: all of the client's */
  #remove(name: string, wanted: readonly Prefix[] | undefined): void {
    const client = this.#clients.get(name);
    if (client === undefined) return;
    const { source, prefixes } = client;
    for (const prefix of wanted ?? [...prefixes.values()]) {
      if (prefixes.delete(formatPrefix(prefix))) this.#rib.remove(prefix, source);
    }
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
