import type { Target } from './reconcile.ts';

/** An outside system in memory, for tests: refuses what it is told to refuse. */
export class MapTarget implements Target<string, string> {
  readonly entries: Map<string, string>;
  readonly refused = new Set<string>();
  unreadable = false;
  lists = 0;

  constructor(entries: Readonly<Record<string, string>> = {}) {
    this.entries = new Map(Object.entries(entries));
  }

  async list(): Promise<ReadonlyMap<string, string>> {
    this.lists++;
    if (this.unreadable) throw new Error('EINTR');
    return new Map(this.entries);
  }

  async put(key: string, value: string): Promise<void> {
    if (this.refused.has(key)) throw new Error('EPERM');
    this.entries.set(key, value);
  }

  async remove(key: string): Promise<void> {
    if (this.refused.has(key)) throw new Error('EBUSY');
    this.entries.delete(key);
  }
}
