// Attributes that peers are told: sets of the table as they are, or with what a speaker changes when it passes
// them on. The latter are two numbers; their bytes are made whenever somebody asks. To hold the bytes, and to look
// for them among hundreds of thousands, costs several times as much.
import {
  AttributeDecoder,
  type AttributeRewrite,
  AttributeRewriter,
  DEFAULT_CONTEXT,
  type WireContext,
} from '@calico/bgp-wire';
import { type Address, sameAddress } from '@calico/ip';
import { type AttributeTable, encode } from './attribute_table.ts';
import { LONGEST } from './byte_store.ts';
import { RowAllocator, roomOf, withRow } from './columns.ts';
import { DecodedSets } from './decoded_sets.ts';
import type { PathData } from './path.ts';
import { RewriteTable } from './rewrite_table.ts';

/** Numbers from here on are rows of this table; twice as much still is a small integer to the runtime. */
const REWRITTEN = 2 ** 29;
/** In place of a number: the set is too long. */
const NONE = -1;
/** Octets that a rewrite adds at most. */
const GROWTH = 64;

export class ToldSets {
  readonly #sets: AttributeTable;
  readonly #rewrites = new RewriteTable();
  readonly #rewriter = new AttributeRewriter();
  readonly #decoded = new DecodedSets();
  readonly #rows = new RowAllocator();
  #setOf = new Int32Array(64);
  #rewriteOf = new Int32Array(64);
  #references = new Int32Array(64);
  /** Next row of the same set, plus one; 0: the end. */
  #next = new Int32Array(64);
  /** Rows that all columns have places for. */
  #room = 64;
  /** First row of a set, plus one. */
  #first = new Int32Array(64);

  constructor(sets: AttributeTable) {
    this.#sets = sets;
  }

  /**
   * The set with what a speaker changes when it passes it on: AttributeTable.isPlain() says whether it can. The
   * caller holds a reference to it. Below 0: it is too long.
   */
  rewrite(set: number, change: AttributeRewrite): number {
    const rewrite = this.#rewrites.numberOf(change);
    if (set >= this.#first.length) this.#first = withRow(this.#first, set);
    const first = this.#first[set] as number;
    for (let row = first - 1; row >= 0; row = (this.#next[row] as number) - 1) {
      if (this.#rewriteOf[row] !== rewrite) continue;
      (this.#references[row] as number) += 1;
      return REWRITTEN + row;
    }
    if (this.#sets.lengthOf(set) + GROWTH > LONGEST && !this.#fits(set, change)) return NONE;
    const row = this.#rows.take();
    this.#makeRoom(row);
    this.#sets.retain(set);
    this.#rewrites.retain(rewrite);
    this.#setOf[row] = set;
    this.#rewriteOf[row] = rewrite;
    this.#references[row] = 1;
    if (this.#next[row] !== first) this.#next[row] = first;
    this.#first[set] = row + 1;
    return REWRITTEN + row;
  }

  retain(id: number): void {
    if (id < REWRITTEN) this.#sets.retain(id);
    else (this.#references[id - REWRITTEN] as number) += 1;
  }

  release(id: number): void {
    if (id < REWRITTEN) {
      this.#sets.release(id);
      return;
    }
    const row = id - REWRITTEN;
    const left = (this.#references[row] as number) - 1;
    this.#references[row] = left;
    if (left <= 0) this.#remove(row);
  }

  /** Whether peers are told the same by both. @param b below 0: nothing */
  areSame(a: number, b: number): boolean {
    if (a === b) return true;
    if (b < 0 || (a < REWRITTEN && b < REWRITTEN)) return false;
    if (!sameAddress(this.nextHopOf(a), this.nextHopOf(b))) return false;
    const first = this.wireOf(a, DEFAULT_CONTEXT).slice();
    const second = this.wireOf(b, DEFAULT_CONTEXT);
    return first.length === second.length && first.every((byte, at) => byte === second[at]);
  }

  /** Decoded; the same object as long as the set is in use again and again. */
  dataOf(id: number): PathData {
    if (id < REWRITTEN) return this.#sets.dataOf(id);
    const held = this.#decoded.get(id);
    if (held !== undefined) return held;
    const { attributes } = new AttributeDecoder(DEFAULT_CONTEXT).decode(this.#bytesOf(id));
    return this.#decoded.set(id, { attributes, nextHop: this.nextHopOf(id) });
  }

  nextHopOf(id: number): Address {
    return id < REWRITTEN ? this.#sets.nextHopOf(id) : this.#changeOf(id).nextHop;
  }

  /** As AttributeTable.wireOf(); valid until the next call. */
  wireOf(id: number, context: WireContext): Uint8Array {
    if (id < REWRITTEN) return this.#sets.wireOf(id, context);
    return context.fourOctetAs ? this.#bytesOf(id) : encode(this.dataOf(id), context);
  }

  #changeOf(id: number): AttributeRewrite {
    return this.#rewrites.at(this.#rewriteOf[id - REWRITTEN] as number);
  }

  #bytesOf(id: number): Uint8Array {
    return this.#rewritten(this.#setOf[id - REWRITTEN] as number, this.#changeOf(id));
  }

  #rewritten(set: number, change: AttributeRewrite): Uint8Array {
    const rewriter = this.#rewriter;
    rewriter.rewrite(this.#sets.bytesOf(set), change);
    return rewriter.bytes.subarray(0, rewriter.length);
  }

  #fits(set: number, change: AttributeRewrite): boolean {
    return this.#rewritten(set, change).length <= LONGEST;
  }

  #remove(row: number): void {
    const set = this.#setOf[row] as number;
    const next = this.#next[row] as number;
    let before = (this.#first[set] as number) - 1;
    if (before === row) {
      this.#first[set] = next;
    } else {
      while (this.#next[before] !== row + 1) before = (this.#next[before] as number) - 1;
      this.#next[before] = next;
    }
    this.#decoded.delete(REWRITTEN + row);
    this.#rewrites.release(this.#rewriteOf[row] as number);
    this.#sets.release(set);
    this.#rows.give(row);
  }

  #makeRoom(row: number): void {
    if (row < this.#room) return;
    this.#setOf = withRow(this.#setOf, row);
    this.#rewriteOf = withRow(this.#rewriteOf, row);
    this.#references = withRow(this.#references, row);
    this.#next = withRow(this.#next, row);
    this.#room = roomOf(this.#setOf, this.#rewriteOf, this.#references, this.#next);
  }
}
