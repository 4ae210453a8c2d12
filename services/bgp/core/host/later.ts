import type { Defer } from './turns.ts';

/** Work of the next turn: done once for all who ask for it before. */
export class Later {
  readonly #defer: Defer;
  readonly #work: () => void;
  #isAsked = false;
  #isStopped = false;

  constructor(defer: Defer, work: () => void) {
    this.#defer = defer;
    this.#work = work;
  }

  ask(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#defer(() => {
      this.#isAsked = false;
      if (!this.#isStopped) this.#work();
    });
  }

  stop(): void {
    this.#isStopped = true;
  }
}
