// Readers of an Adj-RIB-Out that others have left far behind. What is gone is kept for them only when they may
// have been told it: so a peer that reads no more costs what it knows, however many prefixes come and go.
import { copyRows, emptyLike, IntQueue, withRow } from './columns.ts';
import type { Reader } from './out_reader.ts';

export class LeftBehind {
  readonly #readers = new Set<Reader>();
  /** Versions with which entries came while somebody was left behind; 0: before, so that all may know them. */
  #born = new Float64Array(0);

  /** For the same entries, and nobody is left behind; copyTo() brings what is known of them. */
  beginCopy(): LeftBehind {
    const copy = new LeftBehind();
    copy.#born = emptyLike(this.#born);
    return copy;
  }

  /** Of the entries from `start` to before `end`. */
  copyTo(copy: LeftBehind, start: number, end: number): void {
    copyRows(this.#born, copy.#born, start, end);
  }

  /** An entry comes. @param version its own */
  note(entry: number, version: number): void {
    const born = this.#readers.size > 0 ? version : 0;
    if (this.#bornAt(entry) === born) return;
    this.#born = withRow(this.#born, entry);
    this.#born[entry] = born;
  }

  #bornAt(entry: number): number {
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
    const born = this.#bornAt(entry);
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
