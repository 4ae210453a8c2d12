// Writes path attributes in the order of their type, after MP_UNREACH and MP_REACH, which RFC 7606
// section 5.1 wants first.
import { addressBytes, type Family } from '@calico/ip';
import { encodeAsPath, needsFourOctets } from './as_path.ts';
import type { PathAttributes } from './attributes.ts';
import { ByteWriter } from './bytes.ts';
import type { WireContext } from './context.ts';
import { AS_TRANS, AttributeFlag, AttributeType } from './iana.ts';
import {
  encodeMpReach,
  encodeMpUnreach,
  type Reachable,
  type Unreachable,
} from './multiprotocol.ts';

const { Optional, Transitive, ExtendedLength } = AttributeFlag;
const OPTIONAL_TRANSITIVE = Optional | Transitive;

export function encodeAttributes(
  attributes: PathAttributes,
  context: WireContext,
  reach?: Reachable,
  unreach?: Unreachable,
): Uint8Array {
  const encoder = new AttributeEncoder(context);
  if (unreach?.family !== undefined) encoder.unreach(unreach.family, unreach);
  if (reach?.family !== undefined) encoder.reach(reach.family, reach);
  encoder.attributes(attributes);
  return encoder.finish();
}

class AttributeEncoder {
  readonly #writer = new ByteWriter(512);
  readonly #context: WireContext;

  constructor(context: WireContext) {
    this.#context = context;
  }

  finish(): Uint8Array {
    return this.#writer.finish();
  }

  reach(family: Family, { nextHop, linkLocalNextHop, nlri }: Reachable): void {
    if (nextHop === undefined) {
      throw new TypeError('Cannot encode MP_REACH_NLRI: it has no next hop');
    }
    this.#put(Optional, AttributeType.MpReach, (writer) =>
      encodeMpReach(writer, family, nextHop, linkLocalNextHop, nlri, this.#context),
    );
  }

  unreach(family: Family, { nlri }: Unreachable): void {
    this.#put(Optional, AttributeType.MpUnreach, (writer) =>
      encodeMpUnreach(writer, family, nlri, this.#context),
    );
  }

  attributes(attributes: PathAttributes): void {
    this.#wellKnown(attributes);
    this.#optional(attributes);
    this.#fourOctetAs(attributes);
    const { largeCommunities, onlyToCustomer, unknown } = attributes;
    const tail = [...(unknown ?? [])];
    if (largeCommunities !== undefined) {
      const writer = new ByteWriter(12 * largeCommunities.length);
      for (const { global, local1, local2 } of largeCommunities) {
        writer.u32(global).u32(local1).u32(local2);
      }
      const type = AttributeType.LargeCommunities;
      tail.push({ flags: OPTIONAL_TRANSITIVE, type, value: writer.finish() });
    }
    if (onlyToCustomer !== undefined) {
      const value = new ByteWriter(4).u32(onlyToCustomer).finish();
      tail.push({ flags: OPTIONAL_TRANSITIVE, type: AttributeType.OnlyToCustomer, value });
    }
    for (const { flags, type, value } of tail.toSorted((a, b) => a.type - b.type)) {
      this.#put(flags, type, (writer) => writer.bytes(value));
    }
  }

  #wellKnown({ origin, asPath, nextHop, ...rest }: PathAttributes): void {
    const { multiExitDiscriminator, localPreference, atomicAggregate } = rest;
    if (origin !== undefined) {
      this.#put(Transitive, AttributeType.Origin, (writer) => writer.u8(origin));
    }
    if (asPath !== undefined) {
      this.#put(Transitive, AttributeType.AsPath, (writer) =>
        encodeAsPath(writer, asPath, this.#context.fourOctetAs),
      );
    }
    if (nextHop !== undefined) {
      this.#put(Transitive, AttributeType.NextHop, (writer) => writer.bytes(addressBytes(nextHop)));
    }
    this.#number(Optional, AttributeType.MultiExitDiscriminator, multiExitDiscriminator);
    this.#number(Transitive, AttributeType.LocalPreference, localPreference);
    if (atomicAggregate) this.#put(Transitive, AttributeType.AtomicAggregate, () => undefined);
  }

  #optional(attributes: PathAttributes): void {
    const { aggregator, communities, originatorId, clusterList, extendedCommunities } = attributes;
    if (aggregator !== undefined) {
      this.#put(OPTIONAL_TRANSITIVE, AttributeType.Aggregator, (writer) => {
        const { asn, routerId } = aggregator;
        if (this.#context.fourOctetAs) writer.u32(asn).u32(routerId);
        else writer.u16(asn > 0xffff ? AS_TRANS : asn).u32(routerId);
      });
    }
    this.#numbers(OPTIONAL_TRANSITIVE, AttributeType.Communities, communities);
    this.#number(Optional, AttributeType.OriginatorId, originatorId);
    this.#numbers(Optional, AttributeType.ClusterList, clusterList);
    if (extendedCommunities !== undefined) {
      this.#put(OPTIONAL_TRANSITIVE, AttributeType.ExtendedCommunities, (writer) => {
        for (const community of extendedCommunities) {
          writer.u32(Number(community >> 32n)).u32(Number(community & 0xffff_ffffn));
        }
      });
    }
  }

  /** To an old speaker, what two octets cannot say goes along in AS4 attributes (RFC 6793 4.2.2). */
  #fourOctetAs({ asPath, aggregator }: PathAttributes): void {
    if (this.#context.fourOctetAs) return;
    const wide = asPath?.filter(({ kind }) => kind === 'sequence' || kind === 'set');
    if (wide !== undefined && needsFourOctets(wide)) {
      this.#put(OPTIONAL_TRANSITIVE, AttributeType.As4Path, (writer) =>
        encodeAsPath(writer, wide, true),
      );
    }
    if (aggregator !== undefined && aggregator.asn > 0xffff) {
      this.#put(OPTIONAL_TRANSITIVE, AttributeType.As4Aggregator, (writer) =>
        writer.u32(aggregator.asn).u32(aggregator.routerId),
      );
    }
  }

  #number(flags: number, type: number, value: number | undefined): void {
    if (value !== undefined) this.#put(flags, type, (writer) => writer.u32(value));
  }

  #numbers(flags: number, type: number, values: readonly number[] | undefined): void {
    if (values === undefined) return;
    this.#put(flags, type, (writer) => {
      for (const value of values) writer.u32(value);
    });
  }

  #put(flags: number, type: number, write: (writer: ByteWriter) => unknown): void {
    const value = new ByteWriter(64);
    write(value);
    const bytes = value.finish();
    if (bytes.length > 0xff) {
      this.#writer
        .u8(flags | ExtendedLength)
        .u8(type)
        .u16(bytes.length);
    } else {
      this.#writer.u8(flags).u8(type).u8(bytes.length);
    }
    this.#writer.bytes(bytes);
  }
}
