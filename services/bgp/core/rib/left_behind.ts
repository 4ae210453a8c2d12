// Readers of an Adj-RIB-Out that others have left far behind. What is gone is kept for them only when they may
// have been told it: so a peer that reads no more costs what it knows, however many prefixes come and go.
import { IntQueue, withRow } from './columns.ts';
import type { Reader } from './out_reader.ts';

export class LeftBehind {
  readonly #readers = new Set<Reader>();
  /** Versions with which entries came while somebody was left behind; 0: before, so that all may know them. */
  #born = new Float64Array(0);

  /** The version that an entry which comes now is noted with, see note(). */
  stampOf(version: number): number {
    return this.#readers.size > 0 ? version : 0;
  }

  note(entry: number, stamp: number): void {
    if (this.stampAt(entry) === stamp) return;
    this.#born = withRow(this.#born, entry);
    this.#born[entry] = stamp;
  }

  stampAt(entry: number): number {
    return this.#born[entry] ?? 0;
  }

  /** Leaves those behind that are more than `far` versions behind the first; whether there are more now. */
  leave(readers: Iterable<Reader>, far: number): boolean {
    const before = this.#readers.size;
    let first = 0;
    for (const { place } of readers) first = Math.max(first, place.version);
    for (const reader of readers) {
      if (reader.waiting !== undefined || first - reader.place.version <= far) continue;
      reader.waiting = new IntQueue();
      this.#readers.add(reader);
    }
    return this.#readers.size > before;
  }

  /** What waits for a reader that may know the entry, and has not been told that it is gone at this version. */
  waitingFor(entry: number, version: number): IntQueue | undefined {
    const born = this.stampAt(entry);
    for (const { place, reached, waiting } of this.#readers) {
      if (born <= reached && place.version < version) return waiting;
    }
    return undefined;
  }

  /** @param gone gets what waited for the reader */
  end(reader: Reader, gone: IntQueue): void {
    const { waiting } = reader;
    if (waiting === undefined) return;
    while (waiting.size > 0) gone.push(waiting.shift());
    reader.waiting = undefined;
    this.#readers.delete(reader);
  }
}
