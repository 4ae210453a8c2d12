// Netlink messages, one after another, into one buffer. Numbers are in the host's byte order, which is
// little-endian on every machine that runs this; what the kernel wants in network order says so.
import type { Address } from '@calico/ip';
import { NLA_F_NESTED } from './uapi.ts';

const HEADER_BYTES = 16;
const encoder = new TextEncoder();

/** Builds messages; the buffer grows as needed and is reused after `reset()`. */
export class MessageWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #position = 0;
  #message = 0;

  constructor(initialBytes = 4096) {
    this.#bytes = new Uint8Array(new ArrayBuffer(initialBytes));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Forgets all messages. */
  reset(): this {
    this.#position = 0;
    return this;
  }

  get length(): number {
    return this.#position;
  }

  /** The messages written so far; valid until the next write. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#position);
  }

  /** Starts a message: struct nlmsghdr. */
  begin(type: number, flags: number, sequence: number): this {
    this.#reserve(HEADER_BYTES);
    const at = this.#position;
    this.#message = at;
    this.#view.setUint32(at, HEADER_BYTES, true);
    this.#view.setUint16(at + 4, type, true);
    this.#view.setUint16(at + 6, flags, true);
    this.#view.setUint32(at + 8, sequence, true);
    this.#view.setUint32(at + 12, 0, true);
    this.#position = at + HEADER_BYTES;
    return this;
  }

  /** Ends the message: its length becomes known. */
  end(): this {
    this.#view.setUint32(this.#message, this.#position - this.#message, true);
    return this.#pad();
  }

  /** Adds flags to the message that was begun last. */
  addFlags(flags: number): this {
    const at = this.#message + 6;
    this.#view.setUint16(at, this.#view.getUint16(at, true) | flags, true);
    return this;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#view.setUint8(this.#position, value);
    this.#position += 1;
    return this;
  }

  u16(value: number): this {
    this.#reserve(2);
    this.#view.setUint16(this.#position, value, true);
    this.#position += 2;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#position, value, true);
    this.#position += 4;
    return this;
  }

  /** Where the next byte goes; for structures whose length is written afterwards. */
  get position(): number {
    return this.#position;
  }

  /** Writes a 16-bit length at an earlier position: the bytes from there to here. */
  patchLength(start: number): this {
    this.#view.setUint16(start, this.#position - start, true);
    return this;
  }

  attributeU8(type: number, value: number): this {
    this.#attribute(type, 1);
    this.#view.setUint8(this.#position - 1, value);
    return this.#pad();
  }

  attributeU16(type: number, value: number): this {
    this.#attribute(type, 2);
    this.#view.setUint16(this.#position - 2, value, true);
    return this.#pad();
  }

  /** Network byte order. */
  attributeU16be(type: number, value: number): this {
    this.#attribute(type, 2);
    this.#view.setUint16(this.#position - 2, value, false);
    return this.#pad();
  }

  attributeU32(type: number, value: number): this {
    this.#attribute(type, 4);
    this.#view.setUint32(this.#position - 4, value, true);
    return this;
  }

  /** Network byte order. */
  attributeU32be(type: number, value: number): this {
    this.#attribute(type, 4);
    this.#view.setUint32(this.#position - 4, value, false);
    return this;
  }

  attributeU64(type: number, value: bigint): this {
    this.#attribute(type, 8);
    this.#view.setBigUint64(this.#position - 8, value, true);
    return this;
  }

  /** Network byte order. */
  attributeU64be(type: number, value: bigint): this {
    this.#attribute(type, 8);
    this.#view.setBigUint64(this.#position - 8, value, false);
    return this;
  }

  attributeBytes(type: number, value: Uint8Array): this {
    this.#attribute(type, value.length);
    this.#bytes.set(value, this.#position - value.length);
    return this.#pad();
  }

  /** With the terminating zero. */
  attributeString(type: number, value: string): this {
    const bytes = encoder.encode(value);
    this.#attribute(type, bytes.length + 1);
    this.#bytes.set(bytes, this.#position - bytes.length - 1);
    this.#view.setUint8(this.#position - 1, 0);
    return this.#pad();
  }

  /** 4 or 16 bytes, network byte order. */
  attributeAddress(type: number, address: Address): this {
    if (address.family === 4) return this.attributeU32be(type, Number(address.value));
    this.#attribute(type, 16);
    return this.#writeIpv6(this.#position - 16, address.value);
  }

  /** RTA_VIA: a 16-bit address family, then the address. */
  attributeVia(type: number, addressFamily: number, address: Address): this {
    const length = address.family === 4 ? 4 : 16;
    this.#attribute(type, 2 + length);
    const at = this.#position - length;
    this.#view.setUint16(at - 2, addressFamily, true);
    if (address.family === 4) this.#view.setUint32(at, Number(address.value), false);
    else this.#writeIpv6(at, address.value);
    return this.#pad();
  }

  /** Appends a whole message with its padding; answers where it begins. */
  copyMessage(bytes: Uint8Array): number {
    this.#reserve(bytes.length);
    const at = this.#position;
    this.#bytes.set(bytes, at);
    this.#message = at;
    this.#position = at + bytes.length;
    return at;
  }

  patchU8(at: number, value: number): this {
    this.#view.setUint8(at, value);
    return this;
  }

  patchU32(at: number, value: number): this {
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** Network byte order. */
  patchU32be(at: number, value: number): this {
    this.#view.setUint32(at, value, false);
    return this;
  }

  /** Starts an attribute that holds others; the answer goes to `endNested()`. */
  beginNested(type: number, flagged = false): number {
    const start = this.#position;
    this.#attribute(flagged ? type | NLA_F_NESTED : type, 0);
    return start;
  }

  endNested(start: number): this {
    return this.patchLength(start);
  }

  #attribute(type: number, length: number): void {
    this.#reserve(4 + length + 3);
    const at = this.#position;
    this.#view.setUint16(at, 4 + length, true);
    this.#view.setUint16(at + 2, type, true);
    this.#position = at + 4 + length;
  }

  #writeIpv6(at: number, value: bigint): this {
    this.#view.setBigUint64(at, value >> 64n, false);
    this.#view.setBigUint64(at + 8, value & 0xffffffffffffffffn, false);
    return this;
  }

  #pad(): this {
    this.#reserve(3);
    for (; (this.#position & 3) !== 0; this.#position += 1) this.#view.setUint8(this.#position, 0);
    return this;
  }

  #reserve(bytes: number): void {
    if (this.#position + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(
      new ArrayBuffer(Math.max(this.#bytes.length * 2, this.#position + bytes)),
    );
    larger.set(this.#bytes.subarray(0, this.#position));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
