// Routes of our protocol with a metric that is not ours: another daemon left them, or an earlier version of it was
// configured so. Packets still follow them where there is no route of ours: they go when there is, or when nobody
// can want them any more.
import type { KernelPort } from '../../ports.ts';
import type { Defer } from '../host/turns.ts';
import { mayLose, type Removal } from './changes.ts';
import type { RouteStates } from './route_states.ts';
import type { KernelRoute } from './types.ts';

/** Routes that are removed at a time: a millisecond of the kernel. */
const SLICE = 512;

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
  /** Their prefixes are held. */
  #found: Stray[] = [];

  constructor(parts: StrayParts) {
    this.#parts = parts;
  }

  /** All that a reading has met. */
  take(routes: readonly KernelRoute[]): void {
    const { prefixes } = this.#parts.states;
    const found = routes.map((route) => ({ id: prefixes.intern(route.prefix), route }));
    for (const { id } of this.#found) prefixes.release(id);
    this.#found = found;
  }

  /** Removes what may go, some per turn. */
  remove(removal: Removal): void {
    const { states, kernel, defer } = this.#parts;
    const gone: Stray[] = [];
    this.#found = this.#found.filter((stray) => {
      const goes = gone.length < SLICE && this.#mayGo(stray, removal);
      if (goes) gone.push(stray);
      return !goes;
    });
    if (gone.length === 0) return;
    kernel.removeStrays(gone.map(({ route }) => route));
    for (const { id } of gone) states.prefixes.release(id);
    if (gone.length === SLICE) defer(() => this.remove(removal));
  }

  #mayGo({ id, route }: Stray, removal: Removal): boolean {
    const { states, isOpen } = this.#parts;
    if (isOpen(id)) return false;
    if (states.wantedOf(id) !== undefined) return states.isRight(id);
    return mayLose(route, undefined, removal);
  }
}
