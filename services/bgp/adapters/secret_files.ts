// Secrets as Kubernetes mounts them: a directory per secret with a file per key. The core learns which
// version there is, never the value, so that neither recordings nor reports hold it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CancelTimer, Clock } from '@calico/clock';
import type { SecretName } from '../core/cluster/secrets.ts';

const LOOK_AGAIN_MS = 2_000;
const NAME = /^[a-zA-Z0-9_-][a-zA-Z0-9._-]*$/;

type Held = { readonly value: string | undefined; readonly version: number };

export class SecretFiles {
  readonly #directory: string;
  readonly #held = new Map<string, Held>();
  #versions = 0;
  #cancel: CancelTimer = () => {};

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Which version of it there is; undefined when it cannot be read or is empty. */
  versionOf(secret: SecretName): number | undefined {
    const { value, version } = this.#get(secret);
    return value === undefined ? undefined : version;
  }

  valueOf(secret: SecretName): string | undefined {
    return this.#get(secret).value;
  }

  /** Looks at the files that were asked for every two seconds. */
  watch(clock: Clock, onChange: () => void): void {
    this.#cancel = clock.setTimer(LOOK_AGAIN_MS, () => {
      if (this.#refresh()) onChange();
      this.watch(clock, onChange);
    });
  }

  close(): void {
    this.#cancel();
  }

  #get({ name, key }: SecretName): Held {
    const path = join(name, key);
    let held = this.#held.get(path);
    if (held === undefined) {
      const isName = NAME.test(name) && NAME.test(key);
      held = { value: isName ? this.#read(path) : undefined, version: this.#nextVersion() };
      if (isName) this.#held.set(path, held);
    }
    return held;
  }

  #refresh(): boolean {
    let isChanged = false;
    for (const [path, { value: before }] of this.#held) {
      const value = this.#read(path);
      // What is gone may only be on its way to another version: sessions go on with what they have.
      if (value === undefined || value === before) continue;
      this.#held.set(path, { value, version: this.#nextVersion() });
      isChanged = true;
    }
    return isChanged;
  }

  /** Editors end the file with a line feed, which is no part of a password. */
  #read(path: string): string | undefined {
    try {
      const text = readFileSync(join(this.#directory, path), 'utf8').replace(/\r?\n$/, '');
      return text === '' ? undefined : text;
    } catch {
      return undefined; // the health report says that it is awaited
    }
  }

  #nextVersion(): number {
    this.#versions += 1;
    return this.#versions;
  }
}
