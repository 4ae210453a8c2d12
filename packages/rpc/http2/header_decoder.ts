// Header blocks, read. https://www.rfc-editor.org/rfc/rfc7541#section-6
import { CODE, Http2Error, MOST_HEADER_BYTES } from './frames.ts';
import { DEFAULT_TABLE_BYTES, DynamicTable, type Header, sizeOf } from './header_table.ts';
import { decodeHuffman } from './huffman.ts';

/** By name in lower case; of a name that comes twice the first. */
export type Headers = Readonly<Record<string, string>>;

/** Longer texts than a block can have. */
const MOST_NUMBER = 1 << 20;
/** Of blocks that are kept: how many, and how long. */
const MOST_KEPT = 16;
const MOST_KEPT_BYTES = 256;
/** Of the fourth further byte of a number: only padding can follow. */
const MOST_SCALE = 128 ** 3;

/** Reads the blocks of one direction of a connection, in the order in which they come. */
export class HeaderDecoder {
  readonly #table = new DynamicTable();
  /** What blocks say as long as the table stays as it is: most are like one of the last few. */
  readonly #kept = new Map<string, Headers>();
  #keptVersion = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /**
   * Undefined: they are too long to be kept; the table has followed them, so that what comes next can be
   * read. @throws Http2Error: the connection cannot go on
   */
  decode(block: Buffer): Headers | undefined {
    if (block.length > MOST_KEPT_BYTES) return this.#read(block);
    const { version } = this.#table;
    if (version !== this.#keptVersion) this.#kept.clear();
    this.#keptVersion = version;
    const text = block.toString('latin1');
    const kept = this.#kept.get(text);
    if (kept !== undefined) return kept;
    const headers = this.#read(block);
    if (this.#table.version !== version || headers === undefined) return headers;
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
    this.#kept.set(text, headers);
    return headers;
  }

  #read(block: Buffer): Headers | undefined {
    this.#bytes = block;
    this.#at = 0;
    const headers: Record<string, string> = {};
    let length = 0;
    try {
      while (this.#at < block.length) {
        const header = this.#next();
        if (header === undefined) continue;
        const [name, value] = header;
        length += sizeOf(header);
        if (length <= MOST_HEADER_BYTES && !Object.hasOwn(headers, name)) headers[name] = value;
      }
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new Http2Error(CODE.COMPRESSION_ERROR, `headers cannot be read: ${cause.message}`);
    }
    return length > MOST_HEADER_BYTES ? undefined : headers;
  }

  /** Undefined: something was said about the table. */
  #next(): Header | undefined {
    const first = this.#byte();
    if (first >= 0x80) return this.#known(this.#integer(first, 7));
    if (first >= 0x40) {
      const header = this.#literal(this.#integer(first, 6));
      this.#table.add(header);
      return header;
    }
    if (first >= 0x20) {
      const most = this.#integer(first, 5);
      if (most > DEFAULT_TABLE_BYTES) throw new RangeError('a table larger than was allowed');
      this.#table.resize(most);
      return undefined;
    }
    return this.#literal(this.#integer(first, 4)); // not to be indexed
  }

  #known(index: number): Header {
    const header = this.#table.at(index);
    if (header === undefined) throw new RangeError(`index ${index} names nothing`);
    return header;
  }

  #literal(nameIndex: number): Header {
    const name = nameIndex === 0 ? this.#text() : this.#known(nameIndex)[0];
    return [name, this.#text()];
  }

  #text(): string {
    const first = this.#byte();
    const length = this.#integer(first, 7);
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new RangeError('a text is longer than its block');
    return first >= 0x80
      ? decodeHuffman(this.#bytes.subarray(from, this.#at))
      : this.#bytes.toString('latin1', from, this.#at);
  }

  /** Section 5.1: of the first byte the low `bits`, and what follows when they are all set. */
  #integer(first: number, bits: number): number {
    const full = (1 << bits) - 1;
    let value = first & full;
    if (value < full) return value;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (value > MOST_NUMBER || scale > MOST_SCALE) throw new RangeError('a number is too large');
      if (byte < 0x80) return value;
    }
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) throw new RangeError('a block ends early');
    return this.#bytes[this.#at++] as number;
  }
}
