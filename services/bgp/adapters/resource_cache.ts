// Remembers the resources for a process that starts while NATS and the api are both away: it can then
// still speak to its peers. Lost with a reboot, as the kernel's routes are.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { CancelTimer, Clock } from '@calico/clock';
import { Reading } from '@calico/feed';
import { type AnyResource, type Kind, parseStored } from '@calico/model';
import { RESOURCE_KINDS } from '../core/cluster/resources.ts';
import type { Log } from '../ports.ts';

const SAVE_DELAY_MS = 1_000;
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

type Stored = {
  readonly bootId: string;
  readonly node: string;
  readonly resources: readonly { readonly kind: string; readonly json: string }[];
};

const REMEMBERED: readonly string[] = [...RESOURCE_KINDS, 'WorkloadEndpoint'];

export class ResourceCache {
  readonly #path: string;
  readonly #node: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #cancel: CancelTimer | undefined;

  constructor(path: string, node: string, clock: Clock, log: Log) {
    this.#path = path;
    this.#node = node;
    this.#clock = clock;
    this.#log = log;
  }

  /** Empty when there is nothing that this node and this boot have written. */
  async load(): Promise<AnyResource[]> {
    try {
      const stored = JSON.parse(readFileSync(this.#path, 'utf8')) as Stored;
      if (stored.node !== this.#node || stored.bootId !== bootId()) return [];
      const reading = new Reading();
      const resources: AnyResource[] = [];
      for (const { kind, json } of stored.resources) {
        if (!REMEMBERED.includes(kind)) continue;
        resources.push(reading.read(() => parseStored(kind as Kind, json)));
        await reading.pause();
      }
      return resources;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#log.warn('cannot read remembered resources: starting without', { error });
      }
      return [];
    }
  }

  /** Writes soon; changes that follow at once are written together. */
  save(resources: () => readonly AnyResource[]): void {
    this.#cancel ??= this.#clock.setTimer(SAVE_DELAY_MS, () => {
      this.#cancel = undefined;
      this.#write(resources());
    });
  }

  close(): void {
    this.#cancel?.();
  }

  #write(resources: readonly AnyResource[]): void {
    const stored: Stored = {
      bootId: bootId(),
      node: this.#node,
      resources: resources.map((each) => ({ kind: each.kind, json: JSON.stringify(each) })),
    };
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      writeFileSync(`${this.#path}.new`, JSON.stringify(stored));
      renameSync(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#log.warn('cannot remember resources', { error });
    }
  }
}

function bootId(): string {
  return readFileSync(BOOT_ID, 'utf8').trim();
}
