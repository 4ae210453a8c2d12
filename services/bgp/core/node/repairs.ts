import type { Log } from '../../ports.ts';

/** Logs and remembers for a while what was put right, so that people can read about it. */
export class Repairs {
  readonly #until = new Map<string, number>();
  readonly #log: Log;
  readonly #keepMs: number;

  constructor(log: Log, keepMs = 600_000) {
    this.#log = log;
    this.#keepMs = keepMs;
  }

  add(routes: readonly string[], now: number): void {
    this.#log.warn('routes were removed or changed by someone else: restored', { routes });
    for (const route of routes) this.#until.set(route, now + this.#keepMs);
  }

  messages(now: number): string[] {
    for (const [route, until] of this.#until) if (until <= now) this.#until.delete(route);
    return Array.from(
      this.#until.keys(),
      (route) => `Route "${route}" was removed or changed by someone else: restored`,
    );
  }
}
