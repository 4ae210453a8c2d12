// Reads path attributes with the error handling of RFC 7606: what can be lived with becomes a
// problem with its treatment, what cannot is thrown as ProtocolError.
import { type Address, addressFromBytes } from '@calico/ip';
import { decodeAsPath, mergeAs4Path } from './as_path.ts';
import type {
  AttributeProblem,
  PathAttributes,
  Treatment,
  UnknownAttribute,
} from './attributes.ts';
import { ByteReader } from './bytes.ts';
import type { LargeCommunity } from './communities.ts';
import type { WireContext } from './context.ts';
import { ProtocolError } from './errors.ts';
import {
  AS_TRANS,
  AttributeFlag,
  AttributeType,
  ErrorCode,
  type Origin,
  UpdateError,
} from './iana.ts';
import {
  decodeMpReach,
  decodeMpUnreach,
  type Reachable,
  type Unreachable,
} from './multiprotocol.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export type DecodedAttributes = {
  /** Without NEXT_HOP. */
  readonly attributes: PathAttributes;
  readonly nextHop?: Address;
  readonly reach?: Reachable;
  readonly unreach?: Unreachable;
  readonly problems: readonly AttributeProblem[];
};

const { Optional, Transitive, Partial, ExtendedLength } = AttributeFlag;
const WELL_KNOWN = Transitive;
const OPTIONAL_TRANSITIVE = Optional | Transitive;
/** RFC 7607 section 2. */
const NO_AS = 'AS 0 is nobody';

/** The Optional and Transitive bits that each known type must have. */
const FLAGS: Readonly<Record<number, number>> = {
  [AttributeType.Origin]: WELL_KNOWN,
  [AttributeType.AsPath]: WELL_KNOWN,
  [AttributeType.NextHop]: WELL_KNOWN,
  [AttributeType.MultiExitDiscriminator]: Optional,
  [AttributeType.LocalPreference]: WELL_KNOWN,
  [AttributeType.AtomicAggregate]: WELL_KNOWN,
  [AttributeType.Aggregator]: OPTIONAL_TRANSITIVE,
  [AttributeType.Communities]: OPTIONAL_TRANSITIVE,
  [AttributeType.OriginatorId]: Optional,
  [AttributeType.ClusterList]: Optional,
  [AttributeType.MpReach]: Optional,
  [AttributeType.MpUnreach]: Optional,
  [AttributeType.ExtendedCommunities]: OPTIONAL_TRANSITIVE,
  [AttributeType.As4Path]: OPTIONAL_TRANSITIVE,
  [AttributeType.As4Aggregator]: OPTIONAL_TRANSITIVE,
  [AttributeType.LargeCommunities]: OPTIONAL_TRANSITIVE,
  [AttributeType.OnlyToCustomer]: OPTIONAL_TRANSITIVE,
};

/** A value that is wrong in a way RFC 7606 section 7 classifies. */
class Fault {
  readonly treatment: Treatment;
  readonly message: string;

  constructor(treatment: Treatment, message: string) {
    this.treatment = treatment;
    this.message = message;
  }
}

type AnyAttributes = Mutable<PathAttributes>;

export class AttributeDecoder {
  readonly #context: WireContext;
  readonly #attributes: AnyAttributes = {};
  readonly #unknown: UnknownAttribute[] = [];
  readonly #problems: AttributeProblem[] = [];
  readonly #seen = new Set<number>();
  #nextHop: Address | undefined;
  #reach: Reachable | undefined;
  #unreach: Unreachable | undefined;
  #as4Path: PathAttributes['asPath'];
  #as4Aggregator: PathAttributes['aggregator'];

  constructor(context: WireContext) {
    this.#context = context;
  }

  /** @param bytes the Path Attributes field of an UPDATE */
  decode(bytes: Uint8Array): DecodedAttributes {
    const reader = new ByteReader(bytes);
    while (reader.remaining > 0) {
      if (!this.#decodeNext(reader)) break;
    }
    this.#mergeFourOctetAs();
    if (this.#unknown.length > 0) {
      this.#attributes.unknown = this.#unknown.toSorted((a, b) => a.type - b.type);
    }
    return {
      attributes: this.#attributes,
      problems: this.#problems,
      ...(this.#nextHop === undefined ? {} : { nextHop: this.#nextHop }),
      ...(this.#reach === undefined ? {} : { reach: this.#reach }),
      ...(this.#unreach === undefined ? {} : { unreach: this.#unreach }),
    };
  }

  /** Whether the list can be read on. */
  #decodeNext(reader: ByteReader): boolean {
    const minimum = 3;
    if (reader.remaining < minimum) {
      this.#problem(
        'treat-as-withdraw',
        0,
        `${reader.remaining} bytes are left, no attribute fits`,
      );
      return false;
    }
    const flags = reader.u8();
    const type = reader.u8();
    const isLong = (flags & ExtendedLength) !== 0;
    if (isLong && reader.remaining < 2) {
      this.#problem('treat-as-withdraw', type, 'its length is cut off');
      return false;
    }
    const length = isLong ? reader.u16() : reader.u8();
    if (length > reader.remaining) {
      this.#problem(
        'treat-as-withdraw',
        type,
        `length "${length}" runs over the end, ${reader.remaining} bytes are left`,
      );
      return false;
    }
    this.#decodeOne(flags, type, reader.bytes(length));
    return true;
  }

  #decodeOne(flags: number, type: number, value: Uint8Array): void {
    if (this.#seen.has(type)) {
      // RFC 7606 section 3 (g).
      if (type === AttributeType.MpReach || type === AttributeType.MpUnreach) {
        throw new ProtocolError(
          ErrorCode.Update,
          UpdateError.MalformedAttributeList,
          `Cannot read UPDATE: attribute "${type}" occurs twice`,
        );
      }
      this.#problem('attribute-discard', type, 'it occurs twice');
      return;
    }
    this.#seen.add(type);
    const expected = FLAGS[type];
    if (expected === undefined) {
      this.#keepUnknown(flags, type, value);
      return;
    }
    if ((flags & OPTIONAL_TRANSITIVE) !== expected) {
      // RFC 7606 section 3 (c); the value is still read, since MP_REACH_NLRI names what to withdraw.
      this.#problem('treat-as-withdraw', type, `flags "${flags}" are wrong for it`);
    }
    const fault = this.#decodeValue(type, value);
    if (fault !== undefined) this.#problem(fault.treatment, type, fault.message);
  }

  #keepUnknown(flags: number, type: number, value: Uint8Array): void {
    if ((flags & Optional) === 0) {
      throw new ProtocolError(
        ErrorCode.Update,
        UpdateError.UnrecognizedWellKnown,
        `Cannot read UPDATE: well-known attribute "${type}" is unknown`,
        encodeForNotification(flags, type, value),
      );
    }
    // RFC 4271 section 9: unknown non-transitive attributes are quietly ignored.
    if ((flags & Transitive) === 0) return;
    this.#unknown.push({
      flags: flags & (OPTIONAL_TRANSITIVE | Partial),
      type,
      value: value.slice(),
    });
  }

  #decodeValue(type: number, value: Uint8Array): Fault | undefined {
    const attributes = this.#attributes;
    const reader = new ByteReader(value);
    switch (type) {
      case AttributeType.Origin: {
        const fault = wrongLength(value, 1);
        if (fault !== undefined) return fault;
        const origin = reader.u8();
        if (origin > 2) return withdraw(`value "${origin}" is not 0, 1 or 2`);
        attributes.origin = origin as Origin;
        return undefined;
      }
      case AttributeType.AsPath: {
        const path = decodeAsPath(value, this.#context.fourOctetAs);
        if (path === undefined) return withdraw('its segments are malformed');
        attributes.asPath = path;
        return undefined;
      }
      case AttributeType.NextHop:
        if (value.length !== 4) return wrongLength(value, 4);
        this.#nextHop = addressFromBytes(value);
        return undefined;
      case AttributeType.MultiExitDiscriminator:
        if (value.length !== 4) return wrongLength(value, 4);
        attributes.multiExitDiscriminator = reader.u32();
        return undefined;
      case AttributeType.LocalPreference:
        if (this.#context.peerKind === 'external') return discard('it came from an external peer');
        if (value.length !== 4) return wrongLength(value, 4);
        attributes.localPreference = reader.u32();
        return undefined;
      case AttributeType.AtomicAggregate:
        if (value.length !== 0) return discard(`length "${value.length}" is not 0`);
        attributes.atomicAggregate = true;
        return undefined;
      case AttributeType.Aggregator:
        return this.#decodeAggregator(value);
      case AttributeType.MpReach:
        this.#reach = decodeMpReach(value, this.#context);
        return undefined;
      case AttributeType.MpUnreach:
        this.#unreach = decodeMpUnreach(value, this.#context);
        return undefined;
      case AttributeType.As4Path: {
        // RFC 6793 section 6: a new speaker does not send it to us; a malformed one is discarded.
        if (this.#context.fourOctetAs) return discard('the peer has four-octet AS numbers');
        const path = decodeAsPath(value, true);
        if (path === undefined) return discard('its segments are malformed');
        this.#as4Path = path;
        return undefined;
      }
      case AttributeType.As4Aggregator:
        if (this.#context.fourOctetAs) return discard('the peer has four-octet AS numbers');
        return this.#decodeAs4Aggregator(value);
      default:
        return this.#decodeList(type, value, reader);
    }
  }

  #decodeAggregator(value: Uint8Array): Fault | undefined {
    const { fourOctetAs } = this.#context;
    const expected = fourOctetAs ? 8 : 6;
    if (value.length !== expected) return discard(`length "${value.length}" is not ${expected}`);
    const reader = new ByteReader(value);
    const asn = fourOctetAs ? reader.u32() : reader.u16();
    if (asn === 0) return discard(NO_AS);
    this.#attributes.aggregator = { asn, routerId: reader.u32() };
    return undefined;
  }

  #decodeAs4Aggregator(value: Uint8Array): Fault | undefined {
    if (value.length !== 8) return discard(`length "${value.length}" is not 8`);
    const reader = new ByteReader(value);
    const asn = reader.u32();
    if (asn === 0) return discard(NO_AS);
    this.#as4Aggregator = { asn, routerId: reader.u32() };
    return undefined;
  }

  /** Communities of the three kinds, and reflection. */
  #decodeList(type: number, value: Uint8Array, reader: ByteReader): Fault | undefined {
    const attributes = this.#attributes;
    const isExternal = this.#context.peerKind === 'external';
    switch (type) {
      case AttributeType.Communities:
        if (!isFilledBy(value, 4))
          return withdraw(`length "${value.length}" is not a multiple of 4`);
        attributes.communities = readAll(reader, () => reader.u32());
        return undefined;
      case AttributeType.OriginatorId:
        if (isExternal) return discard('it came from an external peer');
        if (value.length !== 4) return wrongLength(value, 4);
        attributes.originatorId = reader.u32();
        return undefined;
      case AttributeType.OnlyToCustomer:
        if (value.length !== 4) return wrongLength(value, 4);
        attributes.onlyToCustomer = reader.u32();
        return undefined;
      case AttributeType.ClusterList:
        if (isExternal) return discard('it came from an external peer');
        if (!isFilledBy(value, 4))
          return withdraw(`length "${value.length}" is not a multiple of 4`);
        attributes.clusterList = readAll(reader, () => reader.u32());
        return undefined;
      case AttributeType.ExtendedCommunities:
        if (!isFilledBy(value, 8))
          return withdraw(`length "${value.length}" is not a multiple of 8`);
        attributes.extendedCommunities = readAll(
          reader,
          () => (BigInt(reader.u32()) << 32n) | BigInt(reader.u32()),
        );
        return undefined;
      default:
        if (!isFilledBy(value, 12)) {
          return withdraw(`length "${value.length}" is not a multiple of 12`);
        }
        attributes.largeCommunities = readAll(
          reader,
          (): LargeCommunity => ({
            global: reader.u32(),
            local1: reader.u32(),
            local2: reader.u32(),
          }),
        );
        return undefined;
    }
  }

  /** RFC 6793 section 4.2.3. */
  #mergeFourOctetAs(): void {
    const attributes = this.#attributes;
    if (this.#as4Aggregator !== undefined && attributes.aggregator !== undefined) {
      // An AGGREGATOR that an old speaker replaced makes both AS4 attributes stale.
      if (attributes.aggregator.asn !== AS_TRANS) return;
      attributes.aggregator = this.#as4Aggregator;
    }
    if (this.#as4Path !== undefined && attributes.asPath !== undefined) {
      attributes.asPath = mergeAs4Path(attributes.asPath, this.#as4Path);
    }
  }

  #problem(treatment: Treatment, type: number, reason: string): void {
    const name = type === 0 ? 'path attributes' : `path attribute "${type}"`;
    this.#problems.push({ treatment, type, message: `Cannot read ${name}: ${reason}` });
  }
}

function withdraw(message: string): Fault {
  return new Fault('treat-as-withdraw', message);
}

function discard(message: string): Fault {
  return new Fault('attribute-discard', message);
}

function wrongLength(value: Uint8Array, expected: number): Fault | undefined {
  if (value.length === expected) return undefined;
  return withdraw(`length "${value.length}" is not ${expected}`);
}

function isFilledBy(value: Uint8Array, size: number): boolean {
  return value.length > 0 && value.length % size === 0;
}

function readAll<T>(reader: ByteReader, read: () => T): T[] {
  const list: T[] = [];
  while (reader.remaining > 0) list.push(read());
  return list;
}

function encodeForNotification(flags: number, type: number, value: Uint8Array): Uint8Array {
  const head =
    (flags & ExtendedLength) === 0
      ? [flags, type, value.length]
      : [flags, type, value.length >>> 8, value.length & 0xff];
  return Uint8Array.of(...head, ...value);
}
