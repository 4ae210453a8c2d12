// What a speaker asks of most sets of attributes, read off the bytes without making objects: a large
// table has hundreds of thousands of different sets, and decoding one costs more than all the rest.
import { AttributeFlag, AttributeType } from './iana.ts';

const { Optional, Transitive, ExtendedLength } = AttributeFlag;
const KIND = Optional | Transitive;
const OPTIONAL_TRANSITIVE = Optional | Transitive;
const Segment = { Set: 1, Sequence: 2 } as const;
/** Communities from 65535:0 on mean something to every speaker (RFC 1997). */
const FIRST_WELL_KNOWN = 0xffff_0000;
const NONE = -1;

/** scan() fills the fields in; they hold until the next call. */
export class AttributeScanner {
  /** 0 to 2. */
  origin = NONE;
  /** As asPathLength(); -1: no AS_PATH. */
  pathLength = NONE;
  /** As neighbourAs(); 0 for none. */
  neighbour = 0;
  /** 32 bits; -1: no NEXT_HOP. */
  nextHop = NONE;
  /** 0 when there is none. */
  med = 0;
  /** -1: none. */
  localPreference = NONE;
  /** 0: none. */
  originatorId = 0;
  clusterLength = 0;
  /** Policies have to see the set itself: a community has a meaning for all, or the path a set of AS numbers. */
  isMarked = false;
  #bytes: Uint8Array = new Uint8Array(0);

  /**
   * Reads path attributes whose AS numbers have four octets.
   * @returns false: something about them is out of the ordinary (a fault, another order than that of
   *   the types, members of a confederation), so that AttributeDecoder has to look; the fields mean nothing
   */
  scan(bytes: Uint8Array, start: number, end: number, isExternal: boolean): boolean {
    this.#reset(bytes);
    let before = 0;
    for (let at = start; at < end; ) {
      if (at + 3 > end) return false;
      const flags = bytes[at] as number;
      const type = bytes[at + 1] as number;
      const isLong = (flags & ExtendedLength) !== 0;
      const value = at + (isLong ? 4 : 3);
      if (value > end) return false;
      const length = isLong
        ? ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
        : (bytes[at + 2] as number);
      if (type <= before || value + length > end) return false;
      if (!this.#read(flags & KIND, type, value, length, isExternal)) return false;
      before = type;
      at = value + length;
    }
    return this.origin !== NONE && this.pathLength !== NONE;
  }

  #reset(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.origin = NONE;
    this.pathLength = NONE;
    this.neighbour = 0;
    this.nextHop = NONE;
    this.med = 0;
    this.localPreference = NONE;
    this.originatorId = 0;
    this.clusterLength = 0;
    this.isMarked = false;
  }

  /** Whether the attribute is as it should be. */
  #read(kind: number, type: number, at: number, length: number, isExternal: boolean): boolean {
    switch (type) {
      case AttributeType.Origin:
        this.origin = this.#bytes[at] as number;
        return kind === Transitive && length === 1 && this.origin <= 2;
      case AttributeType.AsPath:
        return kind === Transitive && this.#readPath(at, at + length);
      case AttributeType.NextHop:
        this.nextHop = this.#word(at);
        return kind === Transitive && length === 4;
      case AttributeType.MultiExitDiscriminator:
        this.med = this.#word(at);
        return kind === Optional && length === 4;
      case AttributeType.LocalPreference:
        this.localPreference = this.#word(at);
        return kind === Transitive && length === 4 && !isExternal;
      case AttributeType.AtomicAggregate:
        return kind === Transitive && length === 0;
      case AttributeType.Aggregator:
        return kind === OPTIONAL_TRANSITIVE && length === 8 && this.#word(at) !== 0;
      case AttributeType.Communities:
        return kind === OPTIONAL_TRANSITIVE && this.#readCommunities(at, length);
      case AttributeType.OriginatorId:
        this.originatorId = this.#word(at);
        return kind === Optional && length === 4 && !isExternal;
      case AttributeType.ClusterList:
        this.clusterLength = length >>> 2;
        return kind === Optional && isList(length, 4) && !isExternal;
      default:
        return isPassedOn(kind, type, length);
    }
  }

  #readPath(start: number, end: number): boolean {
    const bytes = this.#bytes;
    this.pathLength = 0;
    for (let at = start; at < end; ) {
      if (at + 2 > end) return false;
      const segment = bytes[at] as number;
      const count = bytes[at + 1] as number;
      if (count === 0) return false;
      if (segment === Segment.Sequence) {
        if (at === start) this.neighbour = this.#word(at + 2);
        this.pathLength += count;
      } else if (segment === Segment.Set) {
        this.pathLength += 1;
        this.isMarked = true;
      } else {
        return false;
      }
      const next = at + 2 + count * 4;
      if (next > end) return false;
      for (at += 2; at < next; at += 4) if (this.#word(at) === 0) return false;
    }
    return true;
  }

  #readCommunities(at: number, length: number): boolean {
    for (let from = at; from < at + length; from += 4) {
      if (this.#word(from) >= FIRST_WELL_KNOWN) this.isMarked = true;
    }
    return isList(length, 4);
  }

  #word(at: number): number {
    return wordAt(this.#bytes, at);
  }
}

function isList(length: number, size: number): boolean {
  return length > 0 && length % size === 0;
}

/** Attributes that nobody here asks for, unless filters do. */
function isPassedOn(kind: number, type: number, length: number): boolean {
  switch (type) {
    case AttributeType.ExtendedCommunities:
      return kind === OPTIONAL_TRANSITIVE && isList(length, 8);
    case AttributeType.LargeCommunities:
      return kind === OPTIONAL_TRANSITIVE && isList(length, 12);
    case AttributeType.OnlyToCustomer:
      return kind === OPTIONAL_TRANSITIVE && length === 4;
    case AttributeType.MpReach:
    case AttributeType.MpUnreach:
    case AttributeType.As4Path:
    case AttributeType.As4Aggregator:
      return false;
    default:
      return (kind & Optional) !== 0;
  }
}

/**
 * Whether the AS number is in the AS_PATH of attributes that scan() took.
 * @param asn 0 to 2^32 - 1
 */
export function hasAs(bytes: Uint8Array, asn: number): boolean {
  for (let at = 0; at < bytes.length; ) {
    const isLong = ((bytes[at] as number) & ExtendedLength) !== 0;
    const value = at + (isLong ? 4 : 3);
    const length = isLong
      ? ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
      : (bytes[at + 2] as number);
    const end = value + length;
    if (bytes[at + 1] === AttributeType.AsPath) return pathHas(bytes, value, end, asn);
    at = end;
  }
  return false;
}

function pathHas(bytes: Uint8Array, start: number, end: number, asn: number): boolean {
  for (let at = start; at < end; ) {
    const next = at + 2 + (bytes[at + 1] as number) * 4;
    for (at += 2; at < next; at += 4) if (wordAt(bytes, at) === asn) return true;
  }
  return false;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}
