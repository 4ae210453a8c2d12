// Files under CALICO_LIB_DIR that tell other programs of this node what felix knows: `nodename`, `mtu`.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../ports.ts';

export class NodeFiles {
  readonly #directory: string;
  readonly #log: Log;
  readonly #written = new Map<string, string>();

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Replaces the file when its content differs; a disk that refuses is only logged. */
  write(name: 'nodename' | 'mtu', content: string): void {
    if (this.#written.get(name) === content) return;
    this.#written.set(name, content);
    const path = join(this.#directory, name);
    try {
      mkdirSync(this.#directory, { recursive: true });
      if (contentOf(path) === content) return;
      writeFileSync(`${path}.new`, content);
      renameSync(`${path}.new`, path);
    } catch (cause) {
      this.#log.warn('file cannot be written', { path, cause: String(cause) });
    }
  }
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
