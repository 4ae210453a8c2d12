// Remembers which addresses of services the node announces, as ResourceCache does resources: the services themselves
// are far too many.
import type { Clock } from '@calico/clock';
import { parsePrefix } from '@calico/ip';
import type { Log } from '../ports.ts';
import { BootFile } from './boot_file.ts';

type Stored = { readonly announced: readonly string[] };

export class ServiceCache {
  readonly #file: BootFile<Stored>;

  constructor(path: string, node: string, clock: Clock, log: Log) {
    this.#file = new BootFile(path, node, clock, log);
  }

  /** "192.0.2.7/32" …; empty when there is nothing that this node and this boot have written. */
  load(): readonly string[] {
    const stored = this.#file.load();
    if (stored === undefined) return [];
    try {
      for (const text of stored.announced) parsePrefix(text);
      return stored.announced;
    } catch (error) {
      this.#file.warn(error);
      return [];
    }
  }

  save(announced: () => readonly string[]): void {
    this.#file.save(() => ({ announced: announced() }));
  }

  close(): void {
    this.#file.close();
  }
}
