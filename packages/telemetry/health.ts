export type HealthReport = {
  /** False: this process should be restarted. */
  readonly live: boolean;
  /** False: do not send it work yet. */
  readonly ready: boolean;
  /** One sentence for people; empty is as good as none. */
  readonly detail?: string;
};

/** Collects what the parts of a process say about themselves. */
export class HealthRegistry {
  readonly #reports = new Map<string, HealthReport>();

  /** Replaces what `name` said before. */
  report(name: string, report: HealthReport): void {
    this.#reports.set(name, report);
  }

  withdraw(name: string): void {
    this.#reports.delete(name);
  }

  get live(): boolean {
    return this.#reports.values().every(({ live }) => live);
  }

  get ready(): boolean {
    return this.live && this.#reports.values().every(({ ready }) => ready);
  }

  /** One line per part: `name: ready|not ready|dead (detail)`. */
  describe(): string {
    const lines = [...this.#reports]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { live, ready, detail }]) => {
        const state = live ? (ready ? 'ready' : 'not ready') : 'dead';
        return `${name}: ${state}${detail ? ` (${detail})` : ''}\n`;
      });
    return lines.join('');
  }
}
