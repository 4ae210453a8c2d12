// Walks over received bytes without copying them. Every length is checked before it is believed.
import type { Address, Family } from '@calico/ip';
import { NetlinkDecodeError } from './errors.ts';
import { NLA_TYPE_MASK } from './uapi.ts';

const HEADER_BYTES = 16;
const decoder = new TextDecoder('latin1');

/** A stretch of received bytes: the part of a message after its struct nlmsghdr. */
export type Body = { readonly view: DataView; readonly start: number; readonly end: number };

/** The whole of `bytes` as a body. */
export function bodyOf(bytes: Uint8Array): Body {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { view, start: 0, end: bytes.byteLength };
}

/** Where the attributes begin: after a fixed structure of `length` bytes. */
export function afterHeader(body: Body, length: number, what: string): number {
  if (body.end - body.start < length) {
    throw new NetlinkDecodeError(
      `Cannot decode ${what}: ${body.end - body.start} bytes where at least ${length} are needed`,
    );
  }
  return body.start + length;
}

/** Steps through the messages of one datagram: `while (cursor.next()) …`. Is the body of the current one. */
export class MessageCursor implements Body {
  readonly view: DataView;
  readonly #limit: number;
  #next = 0;
  type = 0;
  flags = 0;
  sequence = 0;
  start = 0;
  end = 0;

  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#limit = bytes.byteLength;
  }

  next(): boolean {
    const at = this.#next;
    const left = this.#limit - at;
    if (left <= 0) return false;
    if (left < HEADER_BYTES) {
      throw new NetlinkDecodeError(`Cannot decode message header: ${left} bytes are left`);
    }
    const length = this.view.getUint32(at, true);
    if (length < HEADER_BYTES || length > left) {
      throw new NetlinkDecodeError(`Cannot decode message: length ${length} of ${left} bytes left`);
    }
    this.type = this.view.getUint16(at + 4, true);
    this.flags = this.view.getUint16(at + 6, true);
    this.sequence = this.view.getUint32(at + 8, true);
    this.start = at + HEADER_BYTES;
    this.end = at + length;
    this.#next = at + ((length + 3) & ~3);
    return true;
  }
}

/** Steps through attributes (struct nlattr): `while (cursor.next()) switch (cursor.type) …`. */
export class AttributeCursor {
  readonly #view: DataView;
  readonly #end: number;
  #next: number;
  #start = 0;
  #length = 0;
  type = 0;

  constructor(view: DataView, start: number, end: number) {
    this.#view = view;
    this.#next = start;
    this.#end = end;
  }

  next(): boolean {
    const at = this.#next;
    const left = this.#end - at;
    if (left < 4) return false;
    const length = this.#view.getUint16(at, true);
    if (length < 4 || length > left) {
      throw new NetlinkDecodeError(
        `Cannot decode attribute: length ${length} of ${left} bytes left`,
      );
    }
    this.type = this.#view.getUint16(at + 2, true) & NLA_TYPE_MASK;
    this.#start = at + 4;
    this.#length = length - 4;
    this.#next = at + ((length + 3) & ~3);
    return true;
  }

  /** Bytes of the value. */
  get length(): number {
    return this.#length;
  }

  u8(): number {
    return this.#view.getUint8(this.#at(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#at(2), true);
  }

  u16be(): number {
    return this.#view.getUint16(this.#at(2), false);
  }

  u32(): number {
    return this.#view.getUint32(this.#at(4), true);
  }

  u32be(): number {
    return this.#view.getUint32(this.#at(4), false);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#at(8), true);
  }

  u64be(): bigint {
    return this.#view.getBigUint64(this.#at(8), false);
  }

  /** A copy of the value. */
  bytes(): Uint8Array {
    const source = new Uint8Array(
      this.#view.buffer,
      this.#view.byteOffset + this.#start,
      this.#length,
    );
    return source.slice();
  }

  /** Up to the first zero. */
  string(): string {
    const bytes = new Uint8Array(
      this.#view.buffer,
      this.#view.byteOffset + this.#start,
      this.#length,
    );
    const zero = bytes.indexOf(0);
    return decoder.decode(zero < 0 ? bytes : bytes.subarray(0, zero));
  }

  /** "ee:ee:ee:ee:ee:ee"; undefined when the value is not six bytes. */
  mac(): string | undefined {
    if (this.#length !== 6) return undefined;
    let text = '';
    for (let i = 0; i < 6; i += 1) {
      const byte = this.#view
        .getUint8(this.#start + i)
        .toString(16)
        .padStart(2, '0');
      text += i === 0 ? byte : `:${byte}`;
    }
    return text;
  }

  address(family: Family): Address {
    return { family, value: readAddressValue(this.#view, this.#at(family === 4 ? 4 : 16), family) };
  }

  /** RTA_VIA: a 16-bit address family (2 or 10), then the address. */
  via(): Address {
    const family = familyOf(this.#view.getUint16(this.#at(2), true));
    if (family === undefined) throw new NetlinkDecodeError('Cannot decode RTA_VIA: unknown family');
    const at = this.#at(family === 4 ? 6 : 18) + 2;
    return { family, value: readAddressValue(this.#view, at, family) };
  }

  /** The attributes inside this one. */
  nested(): AttributeCursor {
    return new AttributeCursor(this.#view, this.#start, this.#start + this.#length);
  }

  /** The value as a body of its own. */
  body(): Body {
    return { view: this.#view, start: this.#start, end: this.#start + this.#length };
  }

  #at(bytes: number): number {
    if (this.#length < bytes) {
      throw new NetlinkDecodeError(
        `Cannot decode attribute ${this.type}: ${this.#length} bytes where ${bytes} are needed`,
      );
    }
    return this.#start;
  }
}

/** AF_INET → 4, AF_INET6 → 6, else undefined. */
export function familyOf(addressFamily: number): Family | undefined {
  if (addressFamily === 2) return 4;
  return addressFamily === 10 ? 6 : undefined;
}

function readAddressValue(view: DataView, at: number, family: Family): bigint {
  if (family === 4) return BigInt(view.getUint32(at, false));
  return (view.getBigUint64(at, false) << 64n) | view.getBigUint64(at + 8, false);
}
