export type HeapTimer = {
  readonly at: number;
  /** Breaks ties: the lower one is due first. */
  readonly order: number;
};

/** Timers by time: the next one at once, additions and removals of the next in O(log n). */
export class TimerHeap<T extends HeapTimer> {
  readonly #timers: T[] = [];

  /** The next one due. */
  get first(): T | undefined {
    return this.#timers[0];
  }

  add(timer: T): void {
    const timers = this.#timers;
    let at = timers.push(timer) - 1;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = timers[parentAt];
      if (parent === undefined || isBefore(parent, timer)) break;
      timers[at] = parent;
      at = parentAt;
    }
    timers[at] = timer;
  }

  removeFirst(): void {
    const timers = this.#timers;
    const last = timers.pop();
    if (last === undefined || timers.length === 0) return;
    let at = 0;
    for (;;) {
      const [left, right] = [timers[2 * at + 1], timers[2 * at + 2]];
      if (left === undefined) break;
      const isLeft = right === undefined || isBefore(left, right);
      const child = isLeft ? left : right;
      if (isBefore(last, child)) break;
      timers[at] = child;
      at = 2 * at + (isLeft ? 1 : 2);
    }
    timers[at] = last;
  }
}

function isBefore(a: HeapTimer, b: HeapTimer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
