// Reading and writing big-endian fields. Positions live in class fields: a captured `let` in such a
// loop is miscompiled by some V8 releases once it is hot.

/** The bytes ended before the field did. */
export class TruncatedError extends RangeError {
  override readonly name = 'TruncatedError';
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  get position(): number {
    return this.#position;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  u16(): number {
    const at = this.#take(2);
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number);
  }

  u32(): number {
    const at = this.#take(4);
    return (
      (((this.#bytes[at] as number) << 24) |
        ((this.#bytes[at + 1] as number) << 16) |
        ((this.#bytes[at + 2] as number) << 8) |
        (this.#bytes[at + 3] as number)) >>>
      0
    );
  }

  /** A view of the next bytes, not a copy. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  #take(length: number): number {
    const at = this.#position;
    if (at + length > this.#bytes.length) {
      throw new TruncatedError(
        `Cannot read ${length} bytes at "${at}": only ${this.#bytes.length - at} are left`,
      );
    }
    this.#position = at + length;
    return at;
  }
}

export class ByteWriter {
  #bytes: Uint8Array;
  #position = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  get position(): number {
    return this.#position;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Overwrites two bytes written earlier: a length that is known only afterwards. */
  patchU16(at: number, value: number): void {
    if (at + 2 > this.#position) {
      throw new RangeError(`Cannot patch at "${at}": only ${this.#position} bytes are written`);
    }
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#position);
  }

  #grow(length: number): number {
    const at = this.#position;
    const needed = at + length;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#position = needed;
    return at;
  }
}

/** One after another: the first itself when there is no other. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
