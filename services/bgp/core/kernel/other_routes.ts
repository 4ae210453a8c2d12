// Prefixes that somebody else has routes to. The kernel would take ours instead of theirs wherever the metric is
// lower: so a route of ours is there only while none of theirs is.
import type { PrefixTable } from '../rib/prefix_table.ts';
import type { OtherRoute } from './types.ts';

/** Routes that are looked at, whether they are still there, at a time: less than a millisecond. */
const SLICE = 8_192;

/** All routes of a prefix that have the metric. */
type Held = {
  readonly metric: number;
  /** The one that all of them go through. */
  interfaceIndex: number | undefined;
  /** The reading that it was last met in. */
  round: number;
  /**
   * The reading during or after which several were met last, -1: none. They differ in their gateways, in their TOS:
   * what the kernel tells them apart by is not known here, so neither is what is left when one goes.
   */
  severalIn: number;
};

export class OtherRoutes {
  readonly #prefixes: PrefixTable;
  readonly #onChange: (id: number) => void;
  /** By the prefix's number; held as long as there is a route. */
  readonly #routes = new Map<number, readonly Held[]>();
  /** Readings that have begun. */
  #round = 0;
  /** The last one that was whole. */
  #wholeRound = 0;
  #isReading = false;
  /** What has gone meanwhile: the reading may meet it all the same. Metrics by the prefix's number, which is held. */
  readonly #gone = new Map<number, Set<number>>();
  readonly #goneInterfaces = new Set<number>();

  /** @param onChange a prefix is somebody's, or free */
  constructor(prefixes: PrefixTable, onChange: (id: number) => void) {
    this.#prefixes = prefixes;
    this.#onChange = onChange;
  }

  has(id: number): boolean {
    return this.#routes.has(id);
  }

  /** A reading begins: it will visit() whatever is there. */
  begin(): void {
    this.#round += 1;
    this.#isReading = true;
  }

  /** A reading has met the route. */
  visit(route: OtherRoute): void {
    const { prefix, metric, interfaceIndex } = route;
    const isGone =
      this.#gone.get(this.#prefixes.find(prefix))?.has(metric) === true ||
      (interfaceIndex !== undefined && this.#goneInterfaces.has(interfaceIndex));
    if (!isGone) this.#meet(route, false);
  }

  /** The reading is over; what it has not met has gone if it was whole. A slice at a time. */
  *end(isWhole: boolean): Generator<void, void, undefined> {
    let looked = 0;
    for (const [id, routes] of isWhole ? this.#routes : []) {
      if (++looked % SLICE === 0) yield;
      const isGone = routes.some(({ round }) => round !== this.#round);
      if (isGone)
        this.#set(
          id,
          routes.filter(({ round }) => round === this.#round),
        );
    }
    if (isWhole) this.#wholeRound = this.#round;
    this.#isReading = false;
    for (const id of this.#gone.keys()) this.#prefixes.release(id);
    this.#gone.clear();
    this.#goneInterfaces.clear();
  }

  add(route: OtherRoute): void {
    this.#meet(route, true);
  }

  /** @returns whether that is all; otherwise a reading has to tell what is left */
  remove({ prefix, metric, interfaceIndex }: OtherRoute): boolean {
    const id = this.#prefixes.intern(prefix);
    const routes = this.#routes.get(id) ?? [];
    const held = routes.find((each) => each.metric === metric);
    // Of an IPv6 route with several hops one may go.
    const isOther = held !== undefined && held.interfaceIndex !== interfaceIndex;
    const isKnown = !isOther && (held?.severalIn ?? -1) < this.#wholeRound;
    if (isKnown) {
      if (this.#isReading) this.#noteGone(id, metric);
      this.#set(
        id,
        routes.filter((each) => each !== held),
      );
    }
    this.#prefixes.release(id);
    return isKnown;
  }

  /** The kernel drops the routes of an interface without a message for each. */
  removeInterface(index: number): void {
    if (this.#isReading) this.#goneInterfaces.add(index);
    for (const [id, routes] of this.#routes) {
      const left = routes.filter(({ interfaceIndex }) => interfaceIndex !== index);
      if (left.length < routes.length) this.#set(id, left);
    }
  }

  /** @param isNews another route, or one that has changed; a reading meets each once */
  #meet({ prefix, metric, interfaceIndex }: OtherRoute, isNews: boolean): void {
    const id = this.#prefixes.intern(prefix);
    const routes = this.#routes.get(id) ?? [];
    const held = routes.find((route) => route.metric === metric);
    const round = this.#round;
    if (held === undefined) {
      this.#set(id, [...routes, { metric, interfaceIndex, round, severalIn: -1 }]);
    } else if (isNews || held.round === round) {
      held.severalIn = held.round = round;
      if (held.interfaceIndex !== interfaceIndex) held.interfaceIndex = undefined;
    } else Object.assign(held, { interfaceIndex, round });
    this.#prefixes.release(id);
  }

  #noteGone(id: number, metric: number): void {
    const metrics = this.#gone.get(id);
    if (metrics !== undefined) return void metrics.add(metric);
    this.#gone.set(id, new Set([metric]));
    this.#prefixes.retain(id);
  }

  #set(id: number, routes: readonly Held[]): void {
    const wasTaken = this.#routes.has(id);
    const isTaken = routes.length > 0;
    if (isTaken) this.#routes.set(id, routes);
    else this.#routes.delete(id);
    if (isTaken === wasTaken) return;
    if (isTaken) this.#prefixes.retain(id);
    this.#onChange(id);
    if (!isTaken) this.#prefixes.release(id);
  }
}
