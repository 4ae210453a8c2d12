import type { Clock } from '@calico/clock';
import type { Log } from '../../ports.ts';

const KEPT_MS = 600_000;

/** Says what was put right, and remembers it for a while, so that people can read about it. */
export class Repairs {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #log: Pick<Log, 'warn'>;
  readonly #until = new Map<string, number>();

  constructor(clock: Pick<Clock, 'now'>, log: Pick<Log, 'warn'>) {
    this.#clock = clock;
    this.#log = log;
  }

  add(routes: readonly string[]): void {
    const until = this.#clock.now() + KEPT_MS;
    for (const route of routes) this.#until.set(route, until);
    this.#log.warn('routes were removed or changed by someone else: restored', { routes });
  }

  messages(): string[] {
    const now = this.#clock.now();
    for (const [route, until] of this.#until) if (until <= now) this.#until.delete(route);
    return Array.from(
      this.#until.keys(),
      (route) => `Route "${route}" was removed or changed by someone else: restored`,
    );
  }
}
