// How many routes are in a namespace's tables, as the kernel counts them. Counting a million is a walk of 50 ms
// over all of them that nothing interrupts, on a processor that the speaker may need: nobody counts before the
// route that is told last is there, nor while the first piece of a listing shows too many.
import { readFileSync } from 'node:fs';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '@calico/ip';
import { type Netlink, openNetlinkIn, openRouteDump } from '@calico/netlink';

/**
 * Between two counts so many times as long as the quickest has taken: one that others of the machine have
 * interrupted says nothing about what a count costs.
 */
const REST = 3;
const LOOK_MS = 1;
/** The loss of a few routes is over in the time that a look and its rest take: whoever waits for it looks all the time. */
const FEW = 1_000;
const MAIN = 254;

export class Fib {
  readonly #file: string;
  readonly #namespace: string;
  readonly #netlink: Netlink;
  /** Routes that were there before. */
  readonly base: number;

  /** @param pid a process in the namespace */
  constructor(pid: number) {
    this.#file = `/proc/${pid}/net/fib_triestat`;
    this.#namespace = `/proc/${pid}/ns/net`;
    this.#netlink = openNetlinkIn(this.#namespace);
    this.base = this.count();
  }

  /** Resolves once the kernel has a way to the address. @throws the signal's reason */
  async reaches(address: Address, signal: AbortSignal): Promise<void> {
    while (this.#netlink.routeTo(address) === undefined) {
      signal.throwIfAborted();
      await sleep(LOOK_MS);
    }
  }

  /**
   * Resolves when at most so many are left.
   * @param fewer how many go
   * @throws the signal's reason
   */
  async shrinksTo(most: number, fewer: number, signal: AbortSignal): Promise<void> {
    const isFew = fewer <= FEW;
    while ((isFew ? this.count() : this.#firstPiece()) - this.base > most) {
      signal.throwIfAborted();
      await (isFew ? setImmediate() : sleep(LOOK_MS));
    }
    await this.until((added) => added <= most, signal);
  }

  /** Resolves at the first count that satisfies. @throws the signal's reason */
  async until(isEnough: (added: number) => boolean, signal: AbortSignal): Promise<void> {
    for (let quickest = Number.POSITIVE_INFINITY; ; ) {
      const before = performance.now();
      if (isEnough(this.count() - this.base)) return;
      signal.throwIfAborted();
      quickest = Math.min(quickest, performance.now() - before);
      await sleep(Math.max(LOOK_MS, quickest * REST));
    }
  }

  /** Routes in the first piece of a listing: as many as there are, or some hundred. */
  #firstPiece(): number {
    const dump = openRouteDump({ family: 4, table: MAIN }, this.#namespace);
    let count = 0;
    dump.next(() => {
      count += 1;
    });
    dump.close();
    return count;
  }

  [Symbol.dispose](): void {
    this.#netlink.close();
  }

  count(): number {
    const numbers = readFileSync(this.#file, 'utf8').matchAll(/Prefixes:\s+([0-9]+)/g);
    return Math.max(0, ...Array.from(numbers, ([, digits]) => Number(digits)));
  }
}
