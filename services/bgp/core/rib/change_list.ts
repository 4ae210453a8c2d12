// Rows in the order of their last change:
//
//   START ── 7 ── 3 ── 9 ── START      versions grow from left to right, and are never given twice
import { roomOf, withRow } from './columns.ts';

/** Before the first row and after the last; no row. */
export const START = 0;

export class ChangeList {
  #next = new Int32Array(64);
  #previous = new Int32Array(64);
  #versions = new Float64Array(64);
  /** Rows that all columns have places for. */
  #room = 64;
  #version = 0;

  /** Another one, with the same rows and versions. */
  copy(): ChangeList {
    const copy = new ChangeList();
    for (let row = this.after(START); row !== START; row = this.after(row)) {
      copy.append(row);
      copy.#versions[row] = this.#versions[row] as number;
    }
    copy.#version = this.#version;
    return copy;
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
