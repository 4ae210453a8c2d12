// MP_REACH_NLRI and MP_UNREACH_NLRI: RFC 4760; IPv6 next hops RFC 2545; IPv6 for IPv4 RFC 8950.
import { type Address, addressBytes, addressFromBytes, type Family } from '@calico/ip';
import { ByteReader, type ByteWriter, TruncatedError } from './bytes.ts';
import { afiOf, familyOf, type WireContext } from './context.ts';
import { ProtocolError } from './errors.ts';
import { ErrorCode, Safi, UpdateError } from './iana.ts';
import { decodeNlriList, encodeNlri, type Nlri, NlriError } from './nlri.ts';

/** `family` is undefined for an AFI and SAFI that are not spoken here; the prefixes are then left out. */
export type Reachable = {
  readonly family: Family | undefined;
  readonly nextHop: Address | undefined;
  /** Second IPv6 next hop, fe80::/10 (RFC 2545 section 3). */
  readonly linkLocalNextHop?: Address;
  readonly nlri: readonly Nlri[];
};

export type Unreachable = {
  readonly family: Family | undefined;
  readonly nlri: readonly Nlri[];
};

export function decodeMpReach(value: Uint8Array, context: WireContext): Reachable {
  return orReset('MP_REACH_NLRI', () => {
    const reader = new ByteReader(value);
    const family = familyOf(reader.u16(), reader.u8());
    const nextHopBytes = reader.bytes(reader.u8());
    reader.u8(); // reserved
    if (family === undefined) return { family, nextHop: undefined, nlri: [] };
    const nextHops = decodeNextHops(nextHopBytes, family);
    const nlri = decodeNlriList(reader, family, context.addPath.includes(family));
    return { family, ...nextHops, nlri };
  });
}

function decodeNextHops(
  bytes: Uint8Array,
  family: Family,
): Pick<Reachable, 'nextHop' | 'linkLocalNextHop'> {
  if (bytes.length === 16 || (bytes.length === 4 && family === 4)) {
    return { nextHop: addressFromBytes(bytes) };
  }
  if (bytes.length === 32) {
    return {
      nextHop: addressFromBytes(bytes.subarray(0, 16)),
      linkLocalNextHop: addressFromBytes(bytes.subarray(16)),
    };
  }
  throw new NlriError(`Cannot read next hop: length "${bytes.length}" does not fit IPv${family}`);
}

export function decodeMpUnreach(value: Uint8Array, context: WireContext): Unreachable {
  return orReset('MP_UNREACH_NLRI', () => {
    const reader = new ByteReader(value);
    const family = familyOf(reader.u16(), reader.u8());
    if (family === undefined) return { family, nlri: [] };
    return { family, nlri: decodeNlriList(reader, family, context.addPath.includes(family)) };
  });
}

/** Without its prefixes nothing can be withdrawn instead: RFC 7606 section 7.11 asks for a reset. */
function orReset<T>(name: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (!(cause instanceof NlriError) && !(cause instanceof TruncatedError)) throw cause;
    throw new ProtocolError(
      ErrorCode.Update,
      UpdateError.OptionalAttribute,
      `Cannot read ${name}: ${cause.message}`,
      undefined,
      { cause },
    );
  }
}

/** @param reach with a known family and a next hop */
export function encodeMpReach(
  writer: ByteWriter,
  family: Family,
  nextHop: Address,
  linkLocalNextHop: Address | undefined,
  nlri: readonly Nlri[],
  context: WireContext,
): void {
  writer.u16(afiOf(family)).u8(Safi.Unicast);
  const first = addressBytes(nextHop);
  const second =
    linkLocalNextHop === undefined ? new Uint8Array(0) : addressBytes(linkLocalNextHop);
  writer
    .u8(first.length + second.length)
    .bytes(first)
    .bytes(second)
    .u8(0);
  const addPath = context.addPath.includes(family);
  for (const item of nlri) encodeNlri(writer, item, addPath);
}

export function encodeMpUnreach(
  writer: ByteWriter,
  family: Family,
  nlri: readonly Nlri[],
  context: WireContext,
): void {
  writer.u16(afiOf(family)).u8(Safi.Unicast);
  const addPath = context.addPath.includes(family);
  for (const item of nlri) encodeNlri(writer, item, addPath);
}
