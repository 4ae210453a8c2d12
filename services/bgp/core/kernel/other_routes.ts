// Prefixes that somebody else has routes to. The kernel would take ours instead of theirs wherever the metric is
// lower: so a route of ours is there only while none of theirs is.
import type { PrefixTable } from '../rib/prefix_table.ts';
import type { OtherRoute } from './types.ts';

/** Routes that are looked at, whether they are still there, at a time: less than a millisecond. */
const SLICE = 8_192;

type Held = {
  readonly metric: number;
  interfaceIndex: number | undefined;
  /** The reading that it was last met in. */
  round: number;
};

export class OtherRoutes {
  readonly #prefixes: PrefixTable;
  readonly #onChange: (id: number) => void;
  /** By the prefix's number; held as long as there is a route. */
  readonly #routes = new Map<number, readonly Held[]>();
  /** Readings that have begun. */
  #round = 0;
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
    if (!isGone) this.add(route);
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
    this.#isReading = false;
    for (const id of this.#gone.keys()) this.#prefixes.release(id);
    this.#gone.clear();
    this.#goneInterfaces.clear();
  }

  add({ prefix, metric, interfaceIndex }: OtherRoute): void {
    const id = this.#prefixes.intern(prefix);
    const routes = this.#routes.get(id) ?? [];
    // Routes of one prefix differ in their metric.
    const held = routes.find((route) => route.metric === metric);
    if (held === undefined)
      this.#set(id, [...routes, { metric, interfaceIndex, round: this.#round }]);
    else Object.assign(held, { interfaceIndex, round: this.#round });
    this.#prefixes.release(id);
  }

  remove({ prefix, metric }: OtherRoute): void {
    const id = this.#prefixes.intern(prefix);
    if (this.#isReading) this.#noteGone(id, metric);
    const routes = this.#routes.get(id) ?? [];
    this.#set(
      id,
      routes.filter((route) => route.metric !== metric),
    );
    this.#prefixes.release(id);
  }

  /** The kernel drops the routes of an interface without a message for each. */
  removeInterface(index: number): void {
    if (this.#isReading) this.#goneInterfaces.add(index);
    for (const [id, routes] of this.#routes) {
      const left = routes.filter(({ interfaceIndex }) => interfaceIndex !== index);
      if (left.length < routes.length) this.#set(id, left);
    }
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
