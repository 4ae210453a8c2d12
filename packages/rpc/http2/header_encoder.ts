// Header blocks, written. What is the same in every call is written once per connection and then named by
// a number of one byte. https://www.rfc-editor.org/rfc/rfc7541#section-6
import { DEFAULT_TABLE_BYTES, type Header, STATIC_HEADERS, sizeOf } from './header_table.ts';

const INDEXED = 0x80;
const ADDED = 0x40;
const NOT_ADDED = 0x00;
const RESIZED = 0x20;

/** Of no use in the table: different in nearly every call. */
const CHANGING: ReadonlySet<string> = new Set([
  'grpc-timeout',
  'grpc-message',
  'traceparent',
  'tracestate',
]);

const staticNames = new Map<string, number>();
const staticHeaders = new Map<string, number>();
for (const [index, header] of STATIC_HEADERS.entries()) {
  if (!staticNames.has(header[0])) staticNames.set(header[0], index + 1);
  if (header[1] !== '') staticHeaders.set(header.join('\0'), index + 1);
}

/** Writes the blocks of one direction of a connection. What is added to the table is never thrown out. */
export class HeaderEncoder {
  /** By name and value: how many were added before. */
  readonly #added = new Map<string, number>();
  #left = DEFAULT_TABLE_BYTES;
  #mustSayEmpty = false;
  #bytes: number[] = [];
  /** Blocks as long as the table stays as it is: callers keep the lists that they send again. */
  #written = new WeakMap<readonly Header[], Buffer>();

  /** The other end allows this much. Unless it is enough, the table is not used any more. */
  limit(bytes: number): void {
    if (bytes >= DEFAULT_TABLE_BYTES) return;
    this.#added.clear();
    this.#left = 0;
    this.#mustSayEmpty = true;
    this.#written = new WeakMap();
  }

  /** The bytes are not to be changed. */
  encode(headers: readonly Header[]): Buffer {
    const written = this.#written.get(headers);
    if (written !== undefined) return written;
    const { size } = this.#added;
    this.#bytes = [];
    const isPlain = !this.#mustSayEmpty;
    if (this.#mustSayEmpty) this.#bytes.push(RESIZED);
    this.#mustSayEmpty = false;
    for (const header of headers) this.#write(header);
    const block = Buffer.from(this.#bytes);
    if (this.#added.size !== size) this.#written = new WeakMap();
    else if (isPlain) this.#written.set(headers, block);
    return block;
  }

  #write(header: Header): void {
    const key = header.join('\0');
    const index = staticHeaders.get(key) ?? this.#indexOf(key);
    if (index !== undefined) {
      this.#integer(INDEXED, 7, index);
      return;
    }
    const isAdded = !CHANGING.has(header[0]) && sizeOf(header) <= this.#left;
    const name = staticNames.get(header[0]) ?? 0;
    if (isAdded) this.#integer(ADDED, 6, name);
    else this.#integer(NOT_ADDED, 4, name);
    if (name === 0) this.#text(header[0]);
    this.#text(header[1]);
    if (!isAdded) return;
    this.#left -= sizeOf(header);
    this.#added.set(key, this.#added.size);
  }

  #indexOf(key: string): number | undefined {
    const before = this.#added.get(key);
    if (before === undefined) return undefined;
    return STATIC_HEADERS.length + this.#added.size - before;
  }

  #text(text: string): void {
    this.#integer(0, 7, text.length);
    for (let at = 0; at < text.length; at++) this.#bytes.push(text.charCodeAt(at) & 0xff);
  }

  #integer(first: number, bits: number, value: number): void {
    const full = (1 << bits) - 1;
    if (value < full) {
      this.#bytes.push(first | value);
      return;
    }
    this.#bytes.push(first | full);
    let rest = value - full;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes.push((rest % 128) | 0x80);
    this.#bytes.push(rest);
  }
}
