// Rows of a table by a hash of what they hold: open addressing, one look at a row's hash before anything
// else is compared.
//
//   for (let slot = index.startOf(hash); ; slot = index.after(slot)) {
//     const row = index.rowAt(slot);      -1: there is none
//     if (index.hashOf(row) === hash && ...) return row;
//   }
import { withRow } from './columns.ts';

const FIRST_SLOTS = 128;

export class RowIndex {
  /** Rows plus one; 0: empty. A power of two of them, at least twice as many as rows. */
  #slots = new Int32Array(FIRST_SLOTS);
  /** By row. */
  #hashes = new Int32Array(64);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  startOf(hash: number): number {
    return hash & (this.#slots.length - 1);
  }

  after(slot: number): number {
    return (slot + 1) & (this.#slots.length - 1);
  }

  /** -1: nothing, and nothing of what is looked for behind. */
  rowAt(slot: number): number {
    return (this.#slots[slot] as number) - 1;
  }

  hashOf(row: number): number {
    return this.#hashes[row] as number;
  }

  add(row: number, hash: number): void {
    if ((this.#size + 1) * 2 > this.#slots.length) this.#grow();
    this.#hashes = withRow(this.#hashes, row);
    this.#hashes[row] = hash;
    this.#insert(row, hash);
    this.#size += 1;
  }

  /** Closes the gap, so that no search ends early. */
  remove(row: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let gap = (this.#hashes[row] as number) & mask;
    while (slots[gap] !== row + 1) gap = (gap + 1) & mask;
    for (let slot = (gap + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = (this.#hashes[(slots[slot] as number) - 1] as number) & mask;
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
      slots[gap] = slots[slot] as number;
      gap = slot;
    }
    slots[gap] = 0;
    this.#size -= 1;
  }

  #insert(row: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = row + 1;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Int32Array(before.length * 2);
    for (const held of before) {
      if (held !== 0) this.#insert(held - 1, this.#hashes[held - 1] as number);
    }
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
