// MRT records in a file. When it is full it takes the place of the one before, and a new one begins.
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Log, RecordingPort } from '../ports.ts';

export class RecordingFile implements RecordingPort {
  readonly #path: string;
  readonly #log: Log;
  #maxBytes: number | undefined;
  #file: number | undefined;
  #bytes = 0;

  /** @param path the full one before it has ".1" behind */
  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  configure(maxBytes: number | undefined): void {
    this.#maxBytes = maxBytes;
    if (maxBytes === undefined) this.close();
    else this.#orEnd(() => this.#open());
  }

  write(records: readonly Uint8Array[]): void {
    if (records.length === 0) return;
    this.#orEnd(() => {
      const bytes = Buffer.concat(records);
      const { length } = bytes;
      const isFull = this.#bytes > 0 && this.#bytes + length > (this.#maxBytes ?? 0);
      if (this.#file !== undefined && isFull) {
        this.close();
        renameSync(this.#path, `${this.#path}.1`);
        this.#open();
      }
      if (this.#file === undefined) return;
      for (let at = 0; at < length; ) at += writeSync(this.#file, bytes, at);
      this.#bytes += length;
    });
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** What is there already is kept. */
  #open(): void {
    if (this.#file !== undefined) return;
    mkdirSync(dirname(this.#path), { recursive: true });
    this.#file = openSync(this.#path, 'a', 0o600);
    this.#bytes = fstatSync(this.#file).size;
  }

  /** A full disk ends the recording, and nothing else. */
  #orEnd(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#log.warn('recording of sessions ends: the file cannot be written', {
        path: this.#path,
        error,
      });
      this.close();
    }
  }
}
