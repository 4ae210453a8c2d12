import type { Clock } from '@calico/clock';
import type { Log } from '../../ports.ts';
import { NAMED, shortened } from '../kernel/shortened.ts';

const KEPT_MS = 600_000;

/** Says what was put right, and remembers it for a while, so that people can read about it. */
export class Repairs {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #log: Pick<Log, 'warn'>;
  /** Routes that were named, the latest last. */
  readonly #until = new Map<string, number>();
  /** How many were not, each time that there were any; the latest last. */
  #unnamed: { readonly until: number; readonly count: number }[] = [];

  constructor(clock: Pick<Clock, 'now'>, log: Pick<Log, 'warn'>) {
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * @param routes the first of them
   * @param count of all of them
   */
  add(routes: readonly string[], count: number): void {
    const until = this.#forget() + KEPT_MS;
    for (const route of routes) {
      this.#until.delete(route);
      this.#until.set(route, until);
    }
    if (count > routes.length) this.#unnamed.push({ until, count: count - routes.length });
    this.#log.warn('routes were removed or changed by someone else: restored', {
      routes: shortened(routes, count, 'routes were restored'),
    });
  }

  /** The latest ones are named. */
  messages(): readonly string[] {
    this.#forget();
    const { size } = this.#until;
    const latest = this.#until.keys().drop(Math.max(0, size - NAMED));
    return shortened(
      latest.map((route) => `Route "${route}" was removed or changed by someone else: restored`),
      this.#unnamed.reduce((sum, { count }) => sum + count, size),
      'routes were removed or changed by someone else: restored',
    );
  }

  /** @returns the time */
  #forget(): number {
    const now = this.#clock.now();
    for (const [route, until] of this.#until) {
      if (until > now) break;
      this.#until.delete(route);
    }
    this.#unnamed = this.#unnamed.filter(({ until }) => until > now);
    return now;
  }
}
