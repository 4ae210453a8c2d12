// Rows in the order of their last change:
//
//   START ── 7 ── 3 ── 9 ── START      versions grow from left to right, and are never given twice
import { copyRows, emptyLike, roomOf, withRow } from './columns.ts';

/** Before the first row and after the last; no row. */
export const START = 0;

export class ChangeList {
  #next = new Int32Array(64);
  #previous = new Int32Array(64);
  #versions = new Float64Array(64);
  /** Rows that all columns have places for. */
  #room = 64;
  #version = 0;

  /** Another one for the same rows; copyTo() brings them. */
  beginCopy(): ChangeList {
    const copy = new ChangeList();
    copy.#next = emptyLike(this.#next);
    copy.#previous = emptyLike(this.#previous);
    copy.#versions = emptyLike(this.#versions);
    copy.#room = this.#room;
    copy.#version = this.#version;
    return copy;
  }

  /** Brings the rows from `start` to before `end`; it is a list once it has all from START on. */
  copyTo(copy: ChangeList, start: number, end: number): void {
    copyRows(this.#next, copy.#next, start, end);
    copyRows(this.#previous, copy.#previous, start, end);
    copyRows(this.#versions, copy.#versions, start, end);
  }

  /** Of the last change. */
  get version(): number {
    return this.#version;
  }

  /** The row behind; START at the end. */
  after(row: number): number {
    return this.#next[row] as number;
  }

  /** The row before; START at the beginning. */
  before(row: number): number {
    return this.#previous[row] as number;
  }

  /** When it was changed last; of START 0. */
  versionOf(row: number): number {
    return this.#versions[row] as number;
  }

  /** @param row in no list yet, from 1 on */
  append(row: number): void {
    this.#makeRoom(row);
    const tail = this.#previous[START] as number;
    this.#next[tail] = row;
    this.#previous[row] = tail;
    this.#next[row] = START;
    this.#previous[START] = row;
    this.#version += 1;
    this.#versions[row] = this.#version;
  }

  remove(row: number): void {
    const previous = this.#previous[row] as number;
    const next = this.#next[row] as number;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  #makeRoom(row: number): void {
    if (row < this.#room) return;
    this.#next = withRow(this.#next, row);
    this.#previous = withRow(this.#previous, row);
    this.#versions = withRow(this.#versions, row);
    this.#room = roomOf(this.#next, this.#previous, this.#versions);
  }
}
