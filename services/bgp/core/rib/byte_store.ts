// Byte strings of a table, packed into large chunks: no object per string, nothing for the garbage
// collector to walk. A chunk that has become mostly holes is emptied into the newest one.
import { roomOf, withRow } from './columns.ts';

const CHUNK_BYTES = 256 * 1024;
/** Before each string: the row that it belongs to, and its length. */
const HEAD_BYTES = 6;
export const LONGEST = 0xffff;

type Chunk = { readonly bytes: Uint8Array; readonly view: DataView; used: number; live: number };

export class ByteStore {
  readonly #chunks: (Chunk | undefined)[] = [];
  #chunkOf = new Int32Array(64);
  #offsets = new Uint32Array(64);
  /** Plus one; 0: the row holds nothing. */
  #lengths = new Uint32Array(64);
  /** Rows that all columns have places for. */
  #places = 64;
  #newest = -1;

  lengthOf(row: number): number {
    return (this.#lengths[row] as number) - 1;
  }

  /** A view: valid until the next put() or delete(). */
  get(row: number): Uint8Array {
    const chunk = this.#chunks[this.#chunkOf[row] as number];
    if (chunk === undefined) throw new RangeError(`Cannot read row "${row}": it holds nothing`);
    const offset = this.#offsets[row] as number;
    return chunk.bytes.subarray(offset, offset + this.lengthOf(row));
  }

  equals(row: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.lengthOf(row) !== end - start) return false;
    const held = (this.#chunks[this.#chunkOf[row] as number] as Chunk).bytes;
    let offset = this.#offsets[row] as number;
    for (let at = start; at < end; at++, offset++) if (held[offset] !== bytes[at]) return false;
    return true;
  }

  /** @param end at most 65,535 behind `start` */
  put(row: number, bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > LONGEST) throw new RangeError(`Cannot hold ${length} bytes: at most ${LONGEST}`);
    this.#makeRoom(row);
    const chunk = this.#room(HEAD_BYTES + length);
    chunk.view.setUint32(chunk.used, row);
    chunk.view.setUint16(chunk.used + 4, length);
    const offset = chunk.used + HEAD_BYTES;
    for (let at = 0; at < length; at++) chunk.bytes[offset + at] = bytes[start + at] as number;
    chunk.used += HEAD_BYTES + length;
    chunk.live += HEAD_BYTES + length;
    this.#chunkOf[row] = this.#newest;
    this.#offsets[row] = offset;
    this.#lengths[row] = length + 1;
  }

  delete(row: number): void {
    const index = this.#chunkOf[row] as number;
    const chunk = this.#chunks[index] as Chunk;
    chunk.live -= HEAD_BYTES + this.lengthOf(row);
    this.#lengths[row] = 0;
    if (index === this.#newest) return;
    if (chunk.live === 0) this.#chunks[index] = undefined;
    else if (chunk.live * 4 < chunk.used) this.#empty(index, chunk);
  }

  #makeRoom(row: number): void {
    if (row < this.#places) return;
    this.#lengths = withRow(this.#lengths, row);
    this.#chunkOf = withRow(this.#chunkOf, row);
    this.#offsets = withRow(this.#offsets, row);
    this.#places = roomOf(this.#lengths, this.#chunkOf, this.#offsets);
  }

  #room(length: number): Chunk {
    const newest = this.#chunks[this.#newest];
    if (newest !== undefined && newest.used + length <= newest.bytes.length) return newest;
    const bytes = new Uint8Array(Math.max(CHUNK_BYTES, length));
    const chunk: Chunk = { bytes, view: new DataView(bytes.buffer), used: 0, live: 0 };
    const gap = this.#chunks.indexOf(undefined);
    this.#newest = gap < 0 ? this.#chunks.length : gap;
    this.#chunks[this.#newest] = chunk;
    return chunk;
  }

  /** Moves what is left. A string that is gone is told by its row, which is empty or elsewhere. */
  #empty(index: number, { bytes, view, used }: Chunk): void {
    for (let at = 0; at < used; ) {
      const row = view.getUint32(at);
      const offset = at + HEAD_BYTES;
      const length = view.getUint16(at + 4);
      const isHere = this.#chunkOf[row] === index && this.#offsets[row] === offset;
      if (isHere && this.#lengths[row] !== 0) this.put(row, bytes, offset, offset + length);
      at = offset + length;
    }
    this.#chunks[index] = undefined;
  }
}
