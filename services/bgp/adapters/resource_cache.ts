// Remembers the resources for a process that starts while NATS and the api are both away: it can then
// still speak to its peers.
import type { Clock } from '@calico/clock';
import { Reading } from '@calico/feed';
import { type AnyResource, type Kind, parseStored } from '@calico/model';
import { RESOURCE_KINDS } from '../core/cluster/resources.ts';
import type { Log } from '../ports.ts';
import { BootFile } from './boot_file.ts';

type Stored = {
  readonly resources: readonly { readonly kind: string; readonly json: string }[];
};

const REMEMBERED: readonly string[] = [...RESOURCE_KINDS, 'WorkloadEndpoint'];

export class ResourceCache {
  readonly #file: BootFile<Stored>;

  constructor(path: string, node: string, clock: Clock, log: Log) {
    this.#file = new BootFile(path, node, clock, log);
  }

  /** Empty when there is nothing that this node and this boot have written. */
  async load(): Promise<AnyResource[]> {
    const stored = this.#file.load();
    if (stored === undefined) return [];
    try {
      const reading = new Reading();
      const resources: AnyResource[] = [];
      for (const { kind, json } of stored.resources) {
        if (!REMEMBERED.includes(kind)) continue;
        resources.push(reading.read(() => parseStored(kind as Kind, json)));
        await reading.pause();
      }
      return resources;
    } catch (error) {
      this.#file.warn(error);
      return [];
    }
  }

  /** Writes soon; changes that follow at once are written together. */
  save(resources: () => readonly AnyResource[]): void {
    this.#file.save(() => ({
      resources: resources().map((each) => ({ kind: each.kind, json: JSON.stringify(each) })),
    }));
  }

  close(): void {
    this.#file.close();
  }
}
