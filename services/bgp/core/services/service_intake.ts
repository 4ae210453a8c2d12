// What the cluster says of its services on its way into the index: in the order in which it came, bit by bit.
import { keyText } from '@calico/model';
import type { ServiceChange, ServiceIndex } from './service_index.ts';

export type ServiceNews = {
  readonly changes: readonly ServiceChange[];
  /** What is not among the changes is gone. */
  readonly isAll: boolean;
};

export class ServiceIntake {
  readonly #index: ServiceIndex;
  #waiting: ServiceNews[] = [];
  #work: Generator<void> | undefined;

  constructor(index: ServiceIndex) {
    this.#index = index;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(news: ServiceNews): void {
    this.#waiting.push(news);
  }

  /** Takes in what waits, for as long as `goesOn` says so. */
  goOn(goesOn: () => boolean): void {
    this.#work ??= this.#takeAll();
    while (goesOn()) {
      if (this.#work.next().done !== true) continue;
      this.#work = undefined;
      this.#waiting = [];
      return;
    }
  }

  /** A step for each resource. What comes meanwhile has its turn, too. */
  *#takeAll(): Generator<void> {
    for (const { changes, isAll } of this.#waiting) {
      const listed = new Set<string>();
      for (const change of changes) {
        if (isAll) listed.add(keyText(change.key));
        this.#take(change);
        yield;
      }
      if (isAll) yield* this.#removeAllBut(listed);
    }
  }

  #take({ key, resource }: ServiceChange): void {
    if (resource === undefined) this.#index.remove(key);
    else this.#index.put(resource);
  }

  *#removeAllBut(listed: ReadonlySet<string>): Generator<void> {
    for (const key of this.#index.keys()) {
      if (!listed.has(keyText(key))) this.#index.remove(key);
      yield;
    }
  }
}
