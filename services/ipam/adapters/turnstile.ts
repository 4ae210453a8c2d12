import { IpamError } from '../core/ipam_error.ts';

/**
 * Lets requests that would compete for the same records through one after the other. Only an economy:
 * other processes compete all the same, and the store decides.
 */
export class Turnstile {
  readonly #tails = new Map<string, { last: Promise<void>; waiting: number }>();
  readonly #maxWaiting: number;

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  /** @throws IpamError 'contended' when too many wait already */
  async pass<T>(name: string, work: () => Promise<T>): Promise<T> {
    const line = this.#tails.get(name) ?? { last: Promise.resolve(), waiting: 0 };
    if (line.waiting >= this.#maxWaiting) {
      throw new IpamError(
        'contended',
        `Cannot serve node "${name}": ${line.waiting} requests wait already; try again`,
      );
    }
    const before = line.last;
    const mine = Promise.withResolvers<void>();
    line.last = mine.promise;
    line.waiting++;
    this.#tails.set(name, line);
    try {
      await before;
      return await work();
    } finally {
      line.waiting--;
      if (line.waiting === 0) this.#tails.delete(name);
      mine.resolve();
    }
  }
}
