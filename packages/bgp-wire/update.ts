// UPDATE message: RFC 4271 section 4.3; errors RFC 7606; End-of-RIB RFC 4724 section 2.
import type { Family } from '@calico/ip';
import { AttributeDecoder } from './attribute_decoder.ts';
import { encodeAttributes } from './attribute_encoder.ts';
import type { AttributeProblem, PathAttributes } from './attributes.ts';
import { ByteReader, ByteWriter, TruncatedError } from './bytes.ts';
import type { WireContext } from './context.ts';
import { ProtocolError } from './errors.ts';
import { AttributeType, ErrorCode, UpdateError } from './iana.ts';
import type { Reachable, Unreachable } from './multiprotocol.ts';
import { decodeNlriList, encodeNlri, type Nlri, NlriError } from './nlri.ts';

export type Update = {
  readonly kind: 'update';
  /** IPv4 prefixes of the message's own fields. */
  readonly withdrawn: readonly Nlri[];
  readonly announced: readonly Nlri[];
  readonly attributes: PathAttributes;
  /** Prefixes of the MP attributes. */
  readonly reach?: Reachable;
  readonly unreach?: Unreachable;
  /** Faults that RFC 7606 lets the session survive; empty for a good message. */
  readonly problems: readonly AttributeProblem[];
};

/** Throws ProtocolError where the session must be reset; everything milder is in `problems`. */
export function decodeUpdate(body: Uint8Array, context: WireContext): Update {
  const { withdrawnBytes, attributeBytes, announcedBytes } = splitFields(body);
  const addPath = context.addPath.includes(4);
  const withdrawn = decodeIpv4(withdrawnBytes, addPath);
  const announced = decodeIpv4(announcedBytes, addPath);
  const { nextHop, ...decoded } = new AttributeDecoder(context).decode(attributeBytes);
  const attributes =
    nextHop === undefined ? decoded.attributes : { ...decoded.attributes, nextHop };
  const problems = [...decoded.problems, ...findMissing(attributes, announced, decoded.reach)];
  if (!namesRoutes(announced, decoded.reach)) refuseFaults(problems, attributes);
  return { kind: 'update', withdrawn, announced, ...decoded, attributes, problems };
}

function namesRoutes(announced: readonly Nlri[], reach: Reachable | undefined): boolean {
  // Prefixes of families that are not spoken here are left out.
  const isOther = reach !== undefined && reach.family === undefined;
  return announced.length > 0 || isOther || (reach?.nlri.length ?? 0) > 0;
}

/**
 * RFC 7606 section 5.2: attributes without routes are in no message that is well formed, so where a fault of
 * them asks for more than to do without one, the routes may just not have been found. MP_UNREACH_NLRI alone
 * says what it withdraws.
 */
function refuseFaults(problems: readonly AttributeProblem[], attributes: PathAttributes): void {
  const hasOthers = Object.keys(attributes).length > 0;
  const fault = problems.find(
    ({ treatment, type }) =>
      treatment === 'treat-as-withdraw' && (hasOthers || type !== AttributeType.MpUnreach),
  );
  if (fault === undefined) return;
  throw new ProtocolError(
    ErrorCode.Update,
    UpdateError.MalformedAttributeList,
    `Cannot read UPDATE: it names no routes to withdraw for a fault of attribute "${fault.type}": ${fault.message}`,
  );
}

function splitFields(body: Uint8Array): {
  withdrawnBytes: Uint8Array;
  attributeBytes: Uint8Array;
  announcedBytes: Uint8Array;
} {
  try {
    const reader = new ByteReader(body);
    const withdrawnBytes = reader.bytes(reader.u16());
    const attributeBytes = reader.bytes(reader.u16());
    return { withdrawnBytes, attributeBytes, announcedBytes: reader.rest() };
  } catch (cause) {
    if (!(cause instanceof TruncatedError)) throw cause;
    throw new ProtocolError(
      ErrorCode.Update,
      UpdateError.MalformedAttributeList,
      `Cannot read UPDATE: ${cause.message}`,
      undefined,
      { cause },
    );
  }
}

function decodeIpv4(bytes: Uint8Array, addPath: boolean): Nlri[] {
  try {
    return decodeNlriList(new ByteReader(bytes), 4, addPath);
  } catch (cause) {
    if (!(cause instanceof NlriError)) throw cause;
    throw new ProtocolError(
      ErrorCode.Update,
      UpdateError.InvalidNetworkField,
      `Cannot read UPDATE: ${cause.message}`,
      undefined,
      { cause },
    );
  }
}

/** RFC 7606 section 3 (d): a missing mandatory attribute withdraws. */
function findMissing(
  attributes: PathAttributes,
  announced: readonly Nlri[],
  reach: Reachable | undefined,
): AttributeProblem[] {
  if (announced.length === 0 && (reach === undefined || reach.nlri.length === 0)) return [];
  const missing: [number, string][] = [];
  if (attributes.origin === undefined) missing.push([AttributeType.Origin, 'ORIGIN']);
  if (attributes.asPath === undefined) missing.push([AttributeType.AsPath, 'AS_PATH']);
  if (announced.length > 0 && attributes.nextHop === undefined) {
    missing.push([AttributeType.NextHop, 'NEXT_HOP']);
  }
  return missing.map(([type, name]) => ({
    treatment: 'treat-as-withdraw',
    type,
    message: `Cannot use the routes of UPDATE: mandatory attribute "${name}" is missing or malformed`,
  }));
}

/** Problems are not encoded. Throws RangeError, from the framing, when the message gets too long. */
export function encodeUpdate(update: Update, context: WireContext): Uint8Array {
  const writer = new ByteWriter(1024);
  const addPath = context.addPath.includes(4);
  writer.u16(0);
  for (const nlri of update.withdrawn) encodeNlri(writer, nlri, addPath);
  writer.patchU16(0, writer.position - 2);
  const attributes = encodeAttributes(update.attributes, context, update.reach, update.unreach);
  writer.u16(attributes.length).bytes(attributes);
  for (const nlri of update.announced) encodeNlri(writer, nlri, addPath);
  return writer.finish();
}

/** The family whose initial routes are complete with this message; undefined for other messages. */
export function endOfRibOf(update: Update): Family | undefined {
  const { withdrawn, announced, attributes, reach, unreach, problems } = update;
  if (withdrawn.length > 0 || announced.length > 0 || reach !== undefined) return undefined;
  if (Object.keys(attributes).length > 0 || problems.length > 0) return undefined;
  if (unreach === undefined) return 4;
  return unreach.nlri.length === 0 ? unreach.family : undefined;
}

export function endOfRib(family: Family): Update {
  const empty: Update = {
    kind: 'update',
    withdrawn: [],
    announced: [],
    attributes: {},
    problems: [],
  };
  return family === 4 ? empty : { ...empty, unreach: { family, nlri: [] } };
}
