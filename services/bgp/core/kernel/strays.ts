// Routes of our protocol with a metric that is not ours: another daemon left them, or an earlier version of it was
// configured so. Packets still follow them where there is no route of ours: they go when there is, or when nobody
// can want them any more.
import type { KernelPort } from '../../ports.ts';
import { Later } from '../host/later.ts';
import type { Defer } from '../host/turns.ts';
import { mayLose, type Removal } from './changes.ts';
import type { RouteStates } from './route_states.ts';
import type { KernelRoute } from './types.ts';

/** Routes that are looked at at a time: about a millisecond. */
const SLICE = 4_096;
/** Routes that are removed at a time: a millisecond of the kernel, which is waited for. */
const REMOVED = 256;

type Stray = { readonly id: number; readonly route: KernelRoute };

export type StrayParts = {
  readonly states: RouteStates;
  readonly kernel: Pick<KernelPort, 'removeStrays'>;
  readonly defer: Defer;
  /** As of RoutePlan. */
  readonly isOpen: (id: number) => boolean;
};

export class Strays {
  readonly #parts: StrayParts;
  readonly #later: Later;
  /** To be looked at; prefixes are held. */
  #waiting: Stray[] = [];
  /** May not go, when last looked at. */
  #staying: Stray[] = [];
  #removal: Removal | undefined;
  /** Those that stay are to be looked at once more. */
  #isAgain = false;

  constructor(parts: StrayParts) {
    this.#parts = parts;
    this.#later = new Later(parts.defer, () => this.#lookOn());
  }

  /** All that a reading has met, instead of those before. A slice at a time. */
  *take(routes: readonly KernelRoute[]): Generator<void, void, undefined> {
    const { prefixes } = this.#parts.states;
    const found: Stray[] = [];
    for (const route of routes) {
      found.push({ id: prefixes.intern(route.prefix), route });
      if (found.length % SLICE === 0) yield;
    }
    const before = [this.#waiting, this.#staying];
    this.#waiting = [];
    this.#staying = found;
    for (const strays of before) {
      for (const [index, { id }] of strays.entries()) {
        prefixes.release(id);
        if (index % SLICE === SLICE - 1) yield;
      }
    }
  }

  /** Removes what may go, some per turn. */
  remove(removal: Removal): void {
    if (this.#waiting.length + this.#staying.length === 0) return;
    this.#removal = removal;
    this.#isAgain = true;
    this.#later.ask();
  }

  /** Leaves the kernel as it is, for good. */
  stop(): void {
    this.#later.stop();
  }

  #lookOn(): void {
    if (this.#waiting.length === 0) {
      this.#isAgain = false;
      [this.#waiting, this.#staying] = [this.#staying, []];
    }
    this.#removeSome();
    if (this.#waiting.length > 0 || this.#isAgain) this.#later.ask();
  }

  #removeSome(): void {
    const { states, kernel } = this.#parts;
    const gone: Stray[] = [];
    for (let looked = 0; looked < SLICE && gone.length < REMOVED; looked++) {
      const stray = this.#waiting.pop();
      if (stray === undefined) break;
      (this.#mayGo(stray) ? gone : this.#staying).push(stray);
    }
    if (gone.length === 0) return;
    kernel.removeStrays(gone.map(({ route }) => route));
    for (const { id } of gone) states.prefixes.release(id);
  }

  #mayGo({ id, route }: Stray): boolean {
    const { states, isOpen } = this.#parts;
    if (isOpen(id)) return false;
    if (states.wantedOf(id) !== undefined) return states.isRight(id);
    return this.#removal !== undefined && mayLose(route, undefined, this.#removal);
  }
}
