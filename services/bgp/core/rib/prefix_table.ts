// Every prefix that something is known of, as a small integer: what other tables are indexed by.
//
//   hash(family, address, length) --> bucket: chain of ids --> words, lengths, families, references
import type { Family, Prefix } from '@calico/ip';
import { RowAllocator, roomOf, withRow } from './columns.ts';

const FIRST_BUCKETS = 64;
/** Neighbours among IPv4 prefixes of one length, as many as are in neighbouring buckets. */
const NEIGHBOURS = 64;
/** Numbers without a prefix that a walk looks at in one go. */
const WALK_PAUSE = 16_384;

/**
 * Linear hashing: a bucket per prefix, and with each new prefix one bucket is split, so that nobody ever
 * waits for the whole table to be sorted anew. A prefix stays while somebody holds a reference to it; its
 * number may then mean another one.
 */
export class PrefixTable {
  readonly #rows = new RowAllocator();
  /** The address, 32 bits in each; an IPv4 address is in the first. */
  #words0 = new Uint32Array(64);
  #words1 = new Uint32Array(64);
  #words2 = new Uint32Array(64);
  #words3 = new Uint32Array(64);
  #lengths = new Uint8Array(64);
  /** 0: not in use. */
  #families = new Uint8Array(64);
  #references = new Int32Array(64);
  /** Rows that all columns have places for. */
  #room = 64;
  /** First prefix of each bucket, plus one; 0: the bucket is empty. */
  #heads = new Int32Array(FIRST_BUCKETS);
  /** Next prefix of the same bucket, plus one; 0: the end. */
  #next = new Int32Array(64);
  #buckets = FIRST_BUCKETS;
  /** The power of two from which on buckets have been split off: at most #buckets, more than half. */
  #level = FIRST_BUCKETS;
  #size = 0;
  /** Words of the prefix that is looked for. */
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  get size(): number {
    return this.#size;
  }

  /** All numbers in use are below. */
  get limit(): number {
    return this.#rows.limit;
  }

  /** Whether the number stands for a prefix now. */
  has(id: number): boolean {
    return id < this.#families.length && this.#families[id] !== 0;
  }

  familyOf(id: number): Family {
    return this.#families[id] as Family;
  }

  lengthOf(id: number): number {
    return this.#lengths[id] as number;
  }

  /** 32 bits of the address, `at` 0 to 3 from the front; IPv4 has only the first. */
  wordOf(id: number, at: number): number {
    switch (at) {
      case 0:
        return this.#words0[id] as number;
      case 1:
        return this.#words1[id] as number;
      case 2:
        return this.#words2[id] as number;
      default:
        return this.#words3[id] as number;
    }
  }

  prefixOf(id: number): Prefix {
    const family = this.familyOf(id);
    let value = BigInt(this.#words0[id] as number);
    if (family === 6) {
      for (const at of [1, 2, 3]) value = (value << 32n) | BigInt(this.wordOf(id, at));
    }
    return { family, value, length: this.lengthOf(id) };
  }

  /** All prefixes, while they come and go; undefined now and then, as there may be none for long. */
  *walk(): Generator<Prefix | undefined, void, undefined> {
    for (let id = 0; id < this.limit; id++) {
      if (this.has(id)) yield this.prefixOf(id);
      if (id % WALK_PAUSE === WALK_PAUSE - 1) yield undefined;
    }
  }

  /** Holds the prefix; release() lets go of it. */
  retain(id: number): void {
    (this.#references[id] as number) += 1;
  }

  release(id: number): void {
    const left = (this.#references[id] as number) - 1;
    this.#references[id] = left;
    if (left <= 0) this.#remove(id);
  }

  /** The prefix's number, or -1 when it is not here. */
  find(prefix: Prefix): number {
    this.#load(prefix);
    return this.#lookUp(prefix.family, prefix.length);
  }

  /** The prefix's number, with a reference for the caller. */
  intern(prefix: Prefix): number {
    this.#load(prefix);
    return this.#internKey(prefix.family, prefix.length);
  }

  /**
   * As find(), from the octets of NLRI: as many as the length needs, bits behind it are ignored.
   * @param length 0 to 32 or 128
   */
  findBytes(family: Family, bytes: Uint8Array, at: number, length: number): number {
    this.#read(family, bytes, at, length);
    return this.#lookUp(family, length);
  }

  /** As intern(), from the octets of NLRI. */
  internBytes(family: Family, bytes: Uint8Array, at: number, length: number): number {
    this.#read(family, bytes, at, length);
    return this.#internKey(family, length);
  }

  #load({ family, value }: Prefix): void {
    if (family === 4) {
      this.#set(Number(value), 0, 0, 0);
      return;
    }
    const word = (shift: bigint): number => Number((value >> shift) & 0xffff_ffffn);
    this.#set(word(96n), word(64n), word(32n), word(0n));
  }

  #set(a: number, b: number, c: number, d: number): void {
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
  }

  #read(family: Family, bytes: Uint8Array, at: number, length: number): void {
    const end = at + ((length + 7) >>> 3);
    this.#a = masked(wordAt(bytes, at, end), length);
    if (family === 4) return;
    this.#b = masked(wordAt(bytes, at + 4, end), length - 32);
    this.#c = masked(wordAt(bytes, at + 8, end), length - 64);
    this.#d = masked(wordAt(bytes, at + 12, end), length - 96);
  }

  #hash(family: Family, length: number): number {
    if (family === 4) return hashIpv4(this.#a, length);
    let hash = Math.imul(this.#a ^ (length << 8), 0x9e37_79b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ this.#b, 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 13) ^ this.#c, 0xc2b2_ae35);
    hash = Math.imul(hash ^ (hash >>> 16) ^ this.#d, 0x9e37_79b1);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85eb_ca6b);
    return hash ^ (hash >>> 13);
  }

  #bucketOf(hash: number): number {
    const bucket = hash & (this.#level * 2 - 1);
    return bucket < this.#buckets ? bucket : bucket - this.#level;
  }

  #lookUp(family: Family, length: number): number {
    let id = (this.#heads[this.#bucketOf(this.#hash(family, length))] as number) - 1;
    while (id >= 0 && !this.#is(id, family, length)) id = (this.#next[id] as number) - 1;
    return id;
  }

  #is(id: number, family: Family, length: number): boolean {
    if (this.#words0[id] !== this.#a || this.#lengths[id] !== length) return false;
    if (this.#families[id] !== family) return false;
    return (
      family === 4 ||
      (this.#words1[id] === this.#b && this.#words2[id] === this.#c && this.#words3[id] === this.#d)
    );
  }

  #internKey(family: Family, length: number): number {
    const found = this.#lookUp(family, length);
    if (found >= 0) {
      this.retain(found);
      return found;
    }
    const id = this.#rows.take();
    this.#makeRoom(id);
    this.#words0[id] = this.#a;
    if (family === 6) {
      this.#words1[id] = this.#b;
      this.#words2[id] = this.#c;
      this.#words3[id] = this.#d;
    }
    this.#lengths[id] = length;
    this.#families[id] = family;
    this.#references[id] = 1;
    this.#link(this.#bucketOf(this.#hash(family, length)), id);
    this.#size += 1;
    if (this.#size > this.#buckets) this.#split();
    return id;
  }

  #makeRoom(id: number): void {
    if (id < this.#room) return;
    this.#lengths = withRow(this.#lengths, id);
    this.#families = withRow(this.#families, id);
    this.#references = withRow(this.#references, id);
    this.#next = withRow(this.#next, id);
    this.#words0 = withRow(this.#words0, id);
    this.#words1 = withRow(this.#words1, id);
    this.#words2 = withRow(this.#words2, id);
    this.#words3 = withRow(this.#words3, id);
    this.#room = roomOf(
      this.#lengths,
      this.#families,
      this.#references,
      this.#next,
      this.#words0,
      this.#words1,
      this.#words2,
      this.#words3,
    );
  }

  #link(bucket: number, id: number): void {
    this.#next[id] = this.#heads[bucket] as number;
    this.#heads[bucket] = id + 1;
  }

  /** One more bucket, which takes over what belongs to it from the bucket that had it so far. */
  #split(): void {
    const from = this.#buckets - this.#level;
    if (this.#buckets >= this.#heads.length) this.#heads = withRow(this.#heads, this.#buckets);
    this.#buckets += 1;
    let id = (this.#heads[from] as number) - 1;
    this.#heads[from] = 0;
    while (id >= 0) {
      const next = (this.#next[id] as number) - 1;
      this.#link(this.#bucketOf(this.#hashOf(id)), id);
      id = next;
    }
    if (this.#buckets === this.#level * 2) this.#level = this.#buckets;
  }

  #hashOf(id: number): number {
    const family = this.familyOf(id);
    this.#a = this.#words0[id] as number;
    if (family === 6) {
      this.#b = this.#words1[id] as number;
      this.#c = this.#words2[id] as number;
      this.#d = this.#words3[id] as number;
    }
    return this.#hash(family, this.lengthOf(id));
  }

  #remove(id: number): void {
    const bucket = this.#bucketOf(this.#hashOf(id));
    const next = this.#next[id] as number;
    let before = (this.#heads[bucket] as number) - 1;
    if (before === id) {
      this.#heads[bucket] = next;
    } else {
      while (this.#next[before] !== id + 1) before = (this.#next[before] as number) - 1;
      this.#next[before] = next;
    }
    this.#families[id] = 0;
    this.#rows.give(id);
    this.#size -= 1;
  }
}

/**
 * Tables are told in the order of their prefixes, more or less: neighbours are in neighbouring buckets,
 * at a place that depends on all of them, so that prefixes far apart do not meet.
 */
function hashIpv4(address: number, length: number): number {
  const position = address >>> (32 - length);
  let hash = Math.imul((position >>> 6) ^ (length << 26), 0x9e37_79b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85eb_ca6b);
  hash ^= hash >>> 13;
  return (hash << 6) | ((position + (hash >>> 26)) & (NEIGHBOURS - 1));
}

function wordAt(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) {
    return (
      (((bytes[at] as number) << 24) |
        ((bytes[at + 1] as number) << 16) |
        ((bytes[at + 2] as number) << 8) |
        (bytes[at + 3] as number)) >>>
      0
    );
  }
  let word = 0;
  for (let index = 0; index < 4; index++) {
    const byte = at + index < end ? (bytes[at + index] as number) : 0;
    word = (word << 8) | byte;
  }
  return word >>> 0;
}

/** @param length how many bits count: any integer */
function masked(word: number, length: number): number {
  if (length >= 32) return word;
  return length <= 0 ? 0 : (word & (0xffff_ffff << (32 - length))) >>> 0;
}
