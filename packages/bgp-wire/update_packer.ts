// Writes UPDATE messages one after another into one buffer: as many prefixes of one attribute set as
// fit into each. Attributes come as bytes, so that nothing is encoded twice.
import { type Address, addressBytes, type Family } from '@calico/ip';
import { afiOf, type WireContext } from './context.ts';
import { HEADER_LENGTH, MAX_EXTENDED_MESSAGE_LENGTH, MAX_MESSAGE_LENGTH } from './framing.ts';
import { AttributeFlag, AttributeType, MessageType, Safi } from './iana.ts';

const { Optional, ExtendedLength } = AttributeFlag;
/** Path identifier, length, and the octets of an IPv6 address. */
const LONGEST_NLRI = 21;

type Open = {
  readonly start: number;
  /** Position of the two octets that get the length of what follows; -1 when there is none. */
  readonly lengthAt: number;
};

/** begin, prefixes, end; and again. The bytes stay valid until reset(). */
export class UpdatePacker {
  readonly #context: WireContext;
  readonly #maximum: number;
  #bytes = new Uint8Array(64 * 1024);
  #position = 0;
  #open: Open | undefined;
  #family: Family = 4;
  #addPath = false;
  /** Undefined: prefixes are withdrawn. */
  #nextHop: Address | undefined;
  #attributes: Uint8Array = NO_BYTES;
  /** Prefixes of the message's own fields, not of an MP attribute. */
  #isPlain = true;

  constructor(context: WireContext) {
    this.#context = context;
    this.#maximum = context.extendedMessages ? MAX_EXTENDED_MESSAGE_LENGTH : MAX_MESSAGE_LENGTH;
  }

  get position(): number {
    return this.#position;
  }

  /** A copy of what was written from there on. */
  slice(from: number): Uint8Array {
    return this.#bytes.slice(from, this.#position);
  }

  reset(): void {
    this.#position = 0;
  }

  /**
   * Starts an announcement. IPv4 prefixes with an IPv4 next hop travel in the message's own field.
   * @param attributes encoded; with NEXT_HOP when the next hop is IPv4, without MP attributes
   * @returns false when the attributes leave no room for a prefix: nothing is written
   */
  beginAnnouncement(family: Family, nextHop: Address, attributes: Uint8Array): boolean {
    const overhead = HEADER_LENGTH + 4 + attributes.length + 9 + 16;
    if (overhead + LONGEST_NLRI > this.#maximum) return false;
    this.#nextHop = nextHop;
    this.#attributes = attributes;
    this.#begin(family, family === 4 && nextHop.family === 4);
    return true;
  }

  beginWithdrawal(family: Family): void {
    this.#nextHop = undefined;
    this.#attributes = NO_BYTES;
    this.#begin(family, family === 4);
  }

  /** @param words four of 32 bits each; IPv4 only needs the first */
  prefix(length: number, a: number, b: number, c: number, d: number, pathId: number): void {
    if (this.#room() < LONGEST_NLRI) {
      this.#closeMessage();
      this.#openMessage();
    }
    if (this.#addPath) this.#u32(pathId);
    this.#u8(length);
    if (length > 0) this.#octets(a, length);
    if (length > 32) this.#octets(b, length - 32);
    if (length > 64) this.#octets(c, length - 64);
    if (length > 96) this.#octets(d, length - 96);
  }

  end(): void {
    this.#closeMessage();
  }

  #begin(family: Family, isPlain: boolean): void {
    this.#family = family;
    this.#isPlain = isPlain;
    this.#addPath = this.#context.addPath.includes(family);
    this.#openMessage();
  }

  /** Octets that still fit, with what is written after the prefixes. */
  #room(): number {
    const tail = this.#isPlain ? 2 : this.#attributes.length;
    return this.#maximum - (this.#position - (this.#open?.start ?? 0)) - tail;
  }

  #openMessage(): void {
    this.#reserve(this.#maximum);
    const start = this.#position;
    const marked = this.#bytes;
    // For so few a loop is faster than fill().
    for (let at = start; at < start + 16; at++) marked[at] = 0xff;
    this.#position = start + 18;
    this.#u8(MessageType.Update);
    const nextHop = this.#nextHop;
    if (this.#isPlain && nextHop === undefined) {
      this.#open = { start, lengthAt: this.#hole() };
    } else if (this.#isPlain) {
      this.#u16(0);
      this.#u16(this.#attributes.length);
      this.#copy(this.#attributes);
      this.#open = { start, lengthAt: -1 };
    } else {
      this.#u16(0);
      this.#hole();
      this.#u8(Optional | ExtendedLength);
      this.#u8(nextHop === undefined ? AttributeType.MpUnreach : AttributeType.MpReach);
      this.#open = { start, lengthAt: this.#hole() };
      this.#u16(afiOf(this.#family));
      this.#u8(Safi.Unicast);
      if (nextHop === undefined) return;
      const bytes = addressBytes(nextHop);
      this.#u8(bytes.length);
      this.#copy(bytes);
      this.#u8(0);
    }
  }

  #closeMessage(): void {
    if (this.#open === undefined) return;
    const { start, lengthAt } = this.#open;
    if (lengthAt >= 0) this.#patch(lengthAt, this.#position - lengthAt - 2);
    if (!this.#isPlain) {
      this.#copy(this.#attributes);
      const attributesAt = start + HEADER_LENGTH + 2;
      this.#patch(attributesAt, this.#position - attributesAt - 2);
    } else if (this.#nextHop === undefined) {
      this.#u16(0);
    }
    this.#patch(start + 16, this.#position - start);
    this.#open = undefined;
  }

  #hole(): number {
    this.#u16(0);
    return this.#position - 2;
  }

  #u8(value: number): void {
    this.#bytes[this.#position] = value;
    this.#position += 1;
  }

  #u16(value: number): void {
    const at = this.#position;
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
    this.#position = at + 2;
  }

  #u32(value: number): void {
    this.#octets(value, 32);
  }

  /** The first octets of a word, as many as `bits` touch. */
  #octets(word: number, bits: number): void {
    let at = this.#position;
    const bytes = this.#bytes;
    bytes[at++] = word >>> 24;
    if (bits > 8) bytes[at++] = word >>> 16;
    if (bits > 16) bytes[at++] = word >>> 8;
    if (bits > 24) bytes[at++] = word;
    this.#position = at;
  }

  #copy(bytes: Uint8Array): void {
    const to = this.#bytes;
    const at = this.#position;
    // Short copies: a loop is faster than set().
    for (let index = 0; index < bytes.length; index++) to[at + index] = bytes[index] as number;
    this.#position = at + bytes.length;
  }

  #patch(at: number, value: number): void {
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  #reserve(length: number): void {
    if (this.#position + length <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#position + length));
    larger.set(this.#bytes.subarray(0, this.#position));
    this.#bytes = larger;
  }
}

const NO_BYTES = new Uint8Array(0);
