// The ready addresses on disk: one JSON file, replaced atomically.
import { readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import type { Stock } from '../core/warm_addresses.ts';
import type { Log, StockFile } from '../ports.ts';

export class JsonStockFile implements StockFile {
  readonly #path: string;
  readonly #log: Log;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** What cannot be read is not given out: ipam tells it again. */
  load(): Stock | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch {
      return undefined;
    }
    try {
      const { addresses, until } = JSON.parse(text) as Stock;
      return Array.isArray(addresses) && Number.isFinite(until) ? { addresses, until } : undefined;
    } catch (cause) {
      this.#log.error('ready addresses cannot be read', { path: this.#path, cause: String(cause) });
      return undefined;
    }
  }

  async save(stock: Stock): Promise<void> {
    const draft = `${this.#path}.new`;
    const file = await open(draft, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(stock)}\n`);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(draft, this.#path);
  }
}
