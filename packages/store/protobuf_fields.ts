// Fields of protobuf messages as bytes. https://protobuf.dev/programming-guides/encoding/

const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;

/** Kept for the next message; a longer one makes its own. */
const KEPT_BYTES = 256 << 10;

let scratch = Buffer.allocUnsafeSlow(16 << 10);

/**
 * Writes a message from its last field to its first, so that lengths are known when they are due. One
 * writer at a time: they share their memory.
 */
export class FieldWriter {
  #bytes = scratch;
  #start = scratch.length;

  /** A copy of what was written; the writer is done. */
  get bytes(): Uint8Array {
    if (this.#bytes.length <= KEPT_BYTES) scratch = this.#bytes;
    return Buffer.from(this.#bytes.subarray(this.#start));
  }

  text(field: number, value: string): void {
    const length = Buffer.byteLength(value);
    this.#reserve(length);
    this.#start -= length;
    this.#bytes.write(value, this.#start);
    this.#prefix(field, length);
  }

  raw(field: number, value: Uint8Array): void {
    this.#reserve(value.length);
    this.#start -= value.length;
    this.#bytes.set(value, this.#start);
    this.#prefix(field, value.length);
  }

  /** From 0 up to 2^63. */
  number(field: number, value: bigint | number): void {
    this.#varint(value);
    this.#varint((field << 3) | VARINT);
  }

  message(field: number, write: () => void): void {
    const end = this.#bytes.length - this.#start;
    write();
    this.#prefix(field, this.#bytes.length - this.#start - end);
  }

  #prefix(field: number, length: number): void {
    this.#varint(length);
    this.#varint((field << 3) | BYTES);
  }

  #varint(value: bigint | number): void {
    this.#reserve(10);
    let length = 1;
    if (typeof value === 'bigint' && value > BigInt(Number.MAX_SAFE_INTEGER)) {
      for (let rest = value >> 7n; rest > 0n; rest >>= 7n) length++;
      this.#start -= length;
      let rest = value;
      for (let at = 0; at < length; at++, rest >>= 7n) {
        this.#bytes[this.#start + at] = Number(rest & 0x7fn) | (at < length - 1 ? 0x80 : 0);
      }
      return;
    }
    const small = Number(value);
    for (let rest = Math.floor(small / 128); rest > 0; rest = Math.floor(rest / 128)) length++;
    this.#start -= length;
    let rest = small;
    for (let at = 0; at < length; at++, rest = Math.floor(rest / 128)) {
      this.#bytes[this.#start + at] = (rest % 128) | (at < length - 1 ? 0x80 : 0);
    }
  }

  #reserve(length: number): void {
    if (this.#start >= length) return;
    const used = this.#bytes.length - this.#start;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, used + length + 1024));
    larger.set(this.#bytes.subarray(this.#start), larger.length - used);
    this.#start = larger.length - used;
    this.#bytes = larger;
  }
}

/** Reads a message field by field: `next()`, then one of the readers or `skip()`. */
export class FieldReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  /** Of the field that is to be read. */
  field = 0;
  #wire = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = 0;
    this.#end = bytes.length;
  }

  /** False at the end. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.#varint();
    this.field = tag >> 3;
    this.#wire = tag & 7;
    return true;
  }

  text(): string {
    const [from, to] = this.#span();
    return this.#bytes.toString('utf8', from, to);
  }

  message(): FieldReader {
    const [from, to] = this.#span();
    return new FieldReader(this.#bytes.subarray(from, to));
  }

  boolean(): boolean {
    return this.#varint() !== 0;
  }

  /** An unsigned number of up to 64 bits. */
  bigint(): bigint {
    let low = 0;
    let scale = 1;
    for (let count = 0; count < 7; count++, scale *= 128) {
      const byte = this.#byte();
      low += (byte & 0x7f) * scale;
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number has more than 64 bits');
  }

  skip(): void {
    if (this.#wire === VARINT) this.bigint();
    else if (this.#wire === BYTES) this.#span();
    else if (this.#wire === FIXED_64) this.#at += 8;
    else if (this.#wire === FIXED_32) this.#at += 4;
    else throw new RangeError(`wire type ${this.#wire} is unknown`);
  }

  #span(): readonly [from: number, to: number] {
    const length = this.#varint();
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#end) throw new RangeError('a field is longer than its message');
    return [from, this.#at];
  }

  #varint(): number {
    return Number(this.bigint());
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new RangeError('a message ends within a number');
    return this.#bytes[this.#at++] as number;
  }
}
