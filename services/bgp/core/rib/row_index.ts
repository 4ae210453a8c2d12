// Rows of a table by a hash of what they hold: one look at a row's hash before anything else is compared.
//
//   for (let row = index.firstOf(hash); row >= 0; row = index.after(row)) {
//     if (index.hashOf(row) === hash && ...) return row;
//   }
import { roomOf, withRow } from './columns.ts';

const FIRST_BUCKETS = 64;

/** Linear hashing, as in PrefixTable: with each new row one bucket is split, and nobody waits for all of them. */
export class RowIndex {
  /** First row of each bucket, plus one; 0: the bucket is empty. */
  #heads = new Int32Array(FIRST_BUCKETS);
  /** Next row of the same bucket, plus one; 0: the end. */
  #next = new Int32Array(64);
  /** By row. */
  #hashes = new Int32Array(64);
  /** Rows that all columns have places for. */
  #room = 64;
  #buckets = FIRST_BUCKETS;
  /** The power of two from which on buckets have been split off: at most #buckets, more than half. */
  #level = FIRST_BUCKETS;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The first row that may have the hash; -1: there is none. */
  firstOf(hash: number): number {
    return (this.#heads[this.#bucketOf(hash)] as number) - 1;
  }

  /** The next row that may have the same hash; -1: there is none. */
  after(row: number): number {
    return (this.#next[row] as number) - 1;
  }

  hashOf(row: number): number {
    return this.#hashes[row] as number;
  }

  add(row: number, hash: number): void {
    this.#makeRoom(row);
    this.#hashes[row] = hash;
    this.#link(row);
    this.#size += 1;
    if (this.#size > this.#buckets) this.#split();
  }

  remove(row: number): void {
    const bucket = this.#bucketOf(this.hashOf(row));
    const next = this.#next[row] as number;
    let before = (this.#heads[bucket] as number) - 1;
    if (before === row) {
      this.#heads[bucket] = next;
    } else {
      while (this.#next[before] !== row + 1) before = (this.#next[before] as number) - 1;
      this.#next[before] = next;
    }
    this.#size -= 1;
  }

  #makeRoom(row: number): void {
    if (row < this.#room) return;
    this.#hashes = withRow(this.#hashes, row);
    this.#next = withRow(this.#next, row);
    this.#room = roomOf(this.#hashes, this.#next);
  }

  #bucketOf(hash: number): number {
    const bucket = hash & (this.#level * 2 - 1);
    return bucket < this.#buckets ? bucket : bucket - this.#level;
  }

  #link(row: number): void {
    const bucket = this.#bucketOf(this.hashOf(row));
    this.#next[row] = this.#heads[bucket] as number;
    this.#heads[bucket] = row + 1;
  }

  /** One more bucket, which takes over what belongs to it from the bucket that had it so far. */
  #split(): void {
    const from = this.#buckets - this.#level;
    if (this.#buckets >= this.#heads.length) this.#heads = withRow(this.#heads, this.#buckets);
    this.#buckets += 1;
    let row = (this.#heads[from] as number) - 1;
    this.#heads[from] = 0;
    while (row >= 0) {
      const next = this.after(row);
      this.#link(row);
      row = next;
    }
    if (this.#buckets === this.#level * 2) this.#level = this.#buckets;
  }
}

/**
 * Four octets at a time: each moves all bits of what came before.
 * @param seed what else makes strings different
 */
export function hashBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word =
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number);
    hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ word, 0x9e37_79b1);
  }
  for (; at < end; at++) {
    hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ (bytes[at] as number), 0x9e37_79b1);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  return (hash ^ (hash >>> 13)) & 0x7fff_ffff;
}
