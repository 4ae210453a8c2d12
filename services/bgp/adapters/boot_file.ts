// What a process leaves to the one that starts after it on this node: valid until the next boot, as the kernel's routes are.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { CancelTimer, Clock } from '@calico/clock';
import type { Log } from '../ports.ts';

const SAVE_DELAY_MS = 1_000;
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

type Stored<T> = T & { readonly bootId: string; readonly node: string };

export class BootFile<T extends object> {
  readonly #path: string;
  readonly #node: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #cancel: CancelTimer | undefined;
  /** What has to be written. */
  #pending: (() => T) | undefined;

  constructor(path: string, node: string, clock: Clock, log: Log) {
    this.#path = path;
    this.#node = node;
    this.#clock = clock;
    this.#log = log;
  }

  /** Undefined when there is nothing that this node and this boot have written. Its shape is not checked. */
  load(): T | undefined {
    try {
      const stored = JSON.parse(readFileSync(this.#path, 'utf8')) as Stored<T>;
      return stored.node === this.#node && stored.bootId === bootId() ? stored : undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.warn(error);
      return undefined;
    }
  }

  /** What load() has answered cannot be used. */
  warn(error: unknown): void {
    this.#log.warn('cannot read what an earlier process remembered: starting without', {
      path: this.#path,
      error,
    });
  }

  /** Writes what `content` gives then: soon, as changes that follow at once are written together, or in close(). */
  save(content: () => T): void {
    this.#pending = content;
    this.#cancel ??= this.#clock.setTimer(SAVE_DELAY_MS, () => this.close());
  }

  /** Writes what still waits for it. */
  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const content = this.#pending;
    this.#pending = undefined;
    if (content !== undefined) this.#write(content());
  }

  #write(content: T): void {
    const stored: Stored<T> = { bootId: bootId(), node: this.#node, ...content };
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      writeFileSync(`${this.#path}.new`, JSON.stringify(stored));
      renameSync(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#log.warn('cannot remember for the next process', { path: this.#path, error });
    }
  }
}

function bootId(): string {
  return readFileSync(BOOT_ID, 'utf8').trim();
}
