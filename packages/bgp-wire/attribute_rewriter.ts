// What a speaker changes of path attributes that it passes on, done on the bytes: decoding and encoding
// a large table's attributes costs several times as much.
import type { Address } from '@calico/ip';
import { AttributeFlag, AttributeType } from './iana.ts';

const { Optional, Transitive, Partial, ExtendedLength } = AttributeFlag;
const SEQUENCE = 2;
const LONGEST_SEGMENT = 255;
const EXTENDED_COMMUNITY = 8;
/** In the first octet of an extended community (RFC 4360 section 2). */
const NON_TRANSITIVE = 0x40;

export type AttributeRewrite = {
  /** An IPv4 address becomes NEXT_HOP; any other travels in MP_REACH_NLRI. */
  readonly nextHop: Address;
  /** To an external peer: the AS number to put in front; internal attributes are left out. */
  readonly prepend: number | undefined;
  /** To an internal peer: what stands for a missing LOCAL_PREF. */
  readonly localPreference: number;
  /** Route reflection (RFC 4456 section 8); undefined: none. */
  readonly reflection: { readonly originatorId: number; readonly clusterId: number } | undefined;
};

/** Types that are passed on as they are; those that are not known are marked as partial. */
const PASSED: ReadonlySet<number> = new Set([
  AttributeType.Origin,
  AttributeType.AtomicAggregate,
  AttributeType.Aggregator,
  AttributeType.Communities,
  AttributeType.LargeCommunities,
  AttributeType.OnlyToCustomer,
]);

/** Attributes in the order of their types, without a fault, AS numbers of four octets. */
export class AttributeRewriter {
  bytes = new Uint8Array(4_096);
  length = 0;
  #source: Uint8Array = this.bytes;

  /** Afterwards the first `length` of `bytes` are the attributes, until the next call. */
  rewrite(source: Uint8Array, change: AttributeRewrite): void {
    this.#source = source;
    this.length = 0;
    if (this.bytes.length < source.length + 64) this.bytes = new Uint8Array(source.length * 2 + 64);
    const inserts = new Inserts(this, change);
    for (let at = 0; at < source.length; ) {
      const flags = source[at] as number;
      const type = source[at + 1] as number;
      const isLong = (flags & ExtendedLength) !== 0;
      const value = at + (isLong ? 4 : 3);
      const length = isLong
        ? ((source[at + 2] as number) << 8) | (source[at + 3] as number)
        : (source[at + 2] as number);
      inserts.before(type);
      this.#pass(flags, type, value, value + length, change);
      at = value + length;
    }
    inserts.before(0x100);
  }

  #pass(flags: number, type: number, start: number, end: number, change: AttributeRewrite): void {
    const isExternal = change.prepend !== undefined;
    switch (type) {
      case AttributeType.AsPath:
        return this.#asPath(start, end, change.prepend);
      case AttributeType.NextHop:
        return;
      case AttributeType.MultiExitDiscriminator:
        // MED from one AS is not passed to another (RFC 4271 section 5.1.4).
        if (!isExternal) this.#copy(flags, type, start, end);
        return;
      case AttributeType.LocalPreference:
      case AttributeType.OriginatorId:
        if (!isExternal) this.#copy(flags, type, start, end);
        return;
      case AttributeType.ClusterList:
        if (isExternal) return;
        if (change.reflection === undefined) return this.#copy(flags, type, start, end);
        this.head(Optional, type, end - start + 4);
        this.u32(change.reflection.clusterId);
        return this.#octets(start, end);
      case AttributeType.ExtendedCommunities:
        if (!isExternal) return this.#copy(flags, type, start, end);
        return this.#transitiveCommunities(flags, start, end);
      default:
        if (PASSED.has(type)) return this.#copy(flags, type, start, end);
        // RFC 4271 sections 5 and 9.
        if ((flags & Transitive) === 0) return;
        return this.#copy((flags & Optional) === 0 ? flags : flags | Partial, type, start, end);
    }
  }

  #asPath(start: number, end: number, prepend: number | undefined): void {
    if (prepend === undefined) return this.#copy(Transitive, AttributeType.AsPath, start, end);
    const source = this.#source;
    const count = source[start + 1] ?? 0;
    const isJoined = end > start && source[start] === SEQUENCE && count < LONGEST_SEGMENT;
    this.head(Transitive, AttributeType.AsPath, end - start + (isJoined ? 4 : 6));
    this.u8(SEQUENCE);
    this.u8(isJoined ? count + 1 : 1);
    this.u32(prepend);
    this.#octets(isJoined ? start + 2 : start, end);
  }

  /** RFC 4360 section 6: the others stay in the AS. */
  #transitiveCommunities(flags: number, start: number, end: number): void {
    const source = this.#source;
    const stays = (at: number): boolean => ((source[at] as number) & NON_TRANSITIVE) !== 0;
    let length = 0;
    for (let at = start; at < end; at += EXTENDED_COMMUNITY) {
      if (!stays(at)) length += EXTENDED_COMMUNITY;
    }
    if (length === 0) return;
    this.head(flags & ~ExtendedLength, AttributeType.ExtendedCommunities, length);
    for (let at = start; at < end; at += EXTENDED_COMMUNITY) {
      if (!stays(at)) this.#octets(at, at + EXTENDED_COMMUNITY);
    }
  }

  #copy(flags: number, type: number, start: number, end: number): void {
    this.head(flags & ~ExtendedLength, type, end - start);
    this.#octets(start, end);
  }

  /** Starts an attribute with a value of so many octets. */
  head(flags: number, type: number, length: number): void {
    this.u8(length > 0xff ? flags | ExtendedLength : flags);
    this.u8(type);
    if (length > 0xff) this.u8(length >>> 8);
    this.u8(length & 0xff);
  }

  u8(value: number): void {
    this.bytes[this.length] = value;
    this.length += 1;
  }

  u32(value: number): void {
    this.u8(value >>> 24);
    this.u8((value >>> 16) & 0xff);
    this.u8((value >>> 8) & 0xff);
    this.u8(value & 0xff);
  }

  #octets(start: number, end: number): void {
    const { bytes, length } = this;
    const source = this.#source;
    for (let at = start; at < end; at++) bytes[length + at - start] = source[at] as number;
    this.length = length + end - start;
  }
}

/** Attributes that are added, each at its place in the order. */
class Inserts {
  readonly #to: AttributeRewriter;
  readonly #change: AttributeRewrite;
  #done = 0;

  constructor(to: AttributeRewriter, change: AttributeRewrite) {
    this.#to = to;
    this.#change = change;
  }

  /** Puts in what comes before an attribute of this type, and takes the place of what has it. */
  before(type: number): void {
    const { prepend, nextHop, localPreference, reflection } = this.#change;
    if (this.#isPast(AttributeType.NextHop, type) && nextHop.family === 4) {
      this.#to.head(Transitive, AttributeType.NextHop, 4);
      this.#to.u32(Number(nextHop.value));
    }
    if (prepend !== undefined) return;
    if (this.#isDue(AttributeType.LocalPreference, type)) {
      this.#to.head(Transitive, AttributeType.LocalPreference, 4);
      this.#to.u32(localPreference);
    }
    if (reflection === undefined) return;
    if (this.#isDue(AttributeType.OriginatorId, type)) {
      this.#to.head(Optional, AttributeType.OriginatorId, 4);
      this.#to.u32(reflection.originatorId);
    }
    if (this.#isDue(AttributeType.ClusterList, type)) {
      this.#to.head(Optional, AttributeType.ClusterList, 4);
      this.#to.u32(reflection.clusterId);
    }
  }

  /** Whether the list has just come past the place of `type`, which was not there. */
  #isDue(type: number, next: number): boolean {
    return this.#isPast(type, next) && next > type;
  }

  #isPast(type: number, next: number): boolean {
    if (this.#done >= type || next < type) return false;
    this.#done = type;
    return true;
  }
}
