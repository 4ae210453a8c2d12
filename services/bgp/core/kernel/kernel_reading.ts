// One reading of the kernel's routes, which takes a while: compares what is met with what is believed, and
// leaves out what this service writes meanwhile.
import { withRow } from '../rib/columns.ts';
import type { RouteStates } from './route_states.ts';
import { NAMED } from './shortened.ts';
import { type KernelRoute, type KernelTarget, sameTarget } from './types.ts';

/** Routes and prefixes that are compared at a time: some milliseconds, if all are different. */
const SLICE = 8_192;

const Seen = 1;
const Touched = 2;

/** Routes that were as they are wanted, and that others have changed. */
export type Lost = {
  /** The first of them, as they were. */
  readonly routes: readonly KernelRoute[];
  /** Of all of them: others can take a whole table at once. */
  readonly count: number;
};

/** A slice at a time. */
export type Taking = Generator<void, Lost, undefined>;

export class KernelReading {
  readonly #states: RouteStates;
  #flags: Uint8Array;
  /** Routes that are not what is believed. */
  readonly #different: KernelRoute[] = [];

  constructor(states: RouteStates) {
    this.#states = states;
    this.#flags = new Uint8Array(Math.max(1, states.prefixes.limit));
  }

  /** Routes with a metric that is not ours: none of them is what is believed. */
  readonly strays: KernelRoute[] = [];

  /** The kernel holds this. */
  visit(route: KernelRoute): void {
    if (route.metric !== undefined) {
      this.strays.push(route);
      return;
    }
    const id = this.#states.prefixes.find(route.prefix);
    const believed = id < 0 ? undefined : this.#states.actualOf(id);
    if (believed !== undefined && sameTarget(believed, route)) this.#flag(id, Seen);
    else this.#different.push(route);
  }

  /** The prefix's route has been written: what the reading says of it may be older. */
  touch(id: number): void {
    this.#flag(id, Touched);
  }

  /**
   * Takes over what has been read, in slices: a million prefixes are 12 ms.
   * @param isUnderWay prefixes whose routes are being written
   */
  *finish(isUnderWay: (id: number) => boolean): Taking {
    const states = this.#states;
    const routes: KernelRoute[] = [];
    let count = 0;
    const noteLost = (id: number, before: KernelTarget): void => {
      if (!states.isRight(id)) return;
      count += 1;
      if (count <= NAMED) routes.push(states.routeOf(id, before));
    };
    const isCertain = (id: number): boolean =>
      ((this.#flags[id] ?? 0) & Touched) === 0 && !isUnderWay(id);
    for (const [index, route] of this.#different.entries()) {
      if (index % SLICE === SLICE - 1) yield;
      const id = states.prefixes.intern(route.prefix);
      if (isCertain(id)) {
        const before = states.actualOf(id);
        if (before !== undefined) noteLost(id, before);
        states.found(id, route);
        this.#flag(id, Seen);
      }
      states.prefixes.release(id);
    }
    for (let id = 0; id < states.limit; id++) {
      if (id % SLICE === SLICE - 1) yield;
      const before = states.actualOf(id);
      if (before === undefined || ((this.#flags[id] ?? 0) & Seen) !== 0 || !isCertain(id)) continue;
      noteLost(id, before);
      states.found(id, undefined);
    }
    return { routes, count };
  }

  #flag(id: number, flag: number): void {
    this.#flags = withRow(this.#flags, id);
    (this.#flags[id] as number) |= flag;
  }
}
