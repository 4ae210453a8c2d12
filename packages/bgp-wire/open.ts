// OPEN message: RFC 4271 section 4.2, capabilities RFC 5492, long optional parameters RFC 9072.
import { ByteReader, ByteWriter, TruncatedError } from './bytes.ts';
import { type Capability, decodeCapabilities, encodeCapability } from './capabilities.ts';
import { ProtocolError } from './errors.ts';
import { AS_TRANS, ErrorCode, OpenError } from './iana.ts';

const VERSION = 4;
const CAPABILITIES_PARAMETER = 2;
const EXTENDED_LENGTH = 255;

export type Open = {
  readonly kind: 'open';
  /** The real AS number, also when it does not fit the two octets of the header's field. */
  readonly asn: number;
  /** 0, or 3 to 65535. */
  readonly holdTimeSeconds: number;
  /** BGP identifier as an unsigned number; never 0. */
  readonly routerId: number;
  readonly capabilities: readonly Capability[];
};

/** Throws ProtocolError with the subcode of RFC 4271 section 6.2 that fits. */
export function decodeOpen(body: Uint8Array): Open {
  const reader = new ByteReader(body);
  try {
    return decodeFields(reader);
  } catch (cause) {
    if (!(cause instanceof TruncatedError)) throw cause;
    throw new ProtocolError(
      ErrorCode.Open,
      OpenError.Unspecific,
      `Cannot read OPEN: ${cause.message}`,
      undefined,
      { cause },
    );
  }
}

function decodeFields(reader: ByteReader): Open {
  const version = reader.u8();
  if (version !== VERSION) {
    throw new ProtocolError(
      ErrorCode.Open,
      OpenError.UnsupportedVersion,
      `Cannot speak BGP version "${version}": only ${VERSION} is supported`,
      Uint8Array.of(0, VERSION),
    );
  }
  const shortAsn = reader.u16();
  const holdTimeSeconds = reader.u16();
  if (holdTimeSeconds === 1 || holdTimeSeconds === 2) {
    throw new ProtocolError(
      ErrorCode.Open,
      OpenError.UnacceptableHoldTime,
      `Cannot accept hold time "${holdTimeSeconds}": it must be 0 or at least 3 seconds`,
    );
  }
  const routerId = reader.u32();
  if (routerId === 0) {
    throw new ProtocolError(
      ErrorCode.Open,
      OpenError.BadIdentifier,
      'Cannot accept BGP identifier "0.0.0.0": it must not be zero',
    );
  }
  const capabilities = decodeParameters(reader);
  const fourOctet = capabilities.find((capability) => capability.kind === 'four-octet-as');
  const asn = fourOctet?.asn ?? shortAsn;
  if (asn === 0) {
    throw new ProtocolError(
      ErrorCode.Open,
      OpenError.BadPeerAs,
      'Cannot accept AS number "0": it is reserved (RFC 7607)',
    );
  }
  return { kind: 'open', asn, holdTimeSeconds, routerId, capabilities };
}

function decodeParameters(reader: ByteReader): Capability[] {
  let length = reader.u8();
  let extended = false;
  const rest = reader.rest();
  let parameters = new ByteReader(rest);
  if (length !== 0 && rest[0] === EXTENDED_LENGTH) {
    parameters.u8();
    length = parameters.u16();
    extended = true;
  }
  const bytes = parameters.bytes(length);
  if (parameters.remaining > 0) {
    throw new ProtocolError(
      ErrorCode.Open,
      OpenError.Unspecific,
      `Cannot read OPEN: ${parameters.remaining} bytes follow the optional parameters`,
    );
  }
  parameters = new ByteReader(bytes);
  const capabilities: Capability[] = [];
  while (parameters.remaining > 0) {
    const type = parameters.u8();
    const value = parameters.bytes(extended ? parameters.u16() : parameters.u8());
    if (type !== CAPABILITIES_PARAMETER) {
      throw new ProtocolError(
        ErrorCode.Open,
        OpenError.UnsupportedParameter,
        `Cannot accept optional parameter "${type}": only ${CAPABILITIES_PARAMETER} is supported`,
      );
    }
    capabilities.push(...decodeCapabilities(value));
  }
  return capabilities;
}

/**
 * One optional parameter per capability, which the oldest speakers also read. Goes over to the
 * extended form when the parameters exceed 254 bytes.
 */
export function encodeOpen(open: Open): Uint8Array {
  const encoded = open.capabilities.map(encodeCapability);
  const short = encoded.reduce((sum, { length }) => sum + 2 + length, 0);
  const extended = short >= EXTENDED_LENGTH;
  const writer = new ByteWriter(10 + short)
    .u8(VERSION)
    .u16(open.asn > 0xffff ? AS_TRANS : open.asn)
    .u16(open.holdTimeSeconds)
    .u32(open.routerId);
  if (extended) {
    writer
      .u8(EXTENDED_LENGTH)
      .u8(EXTENDED_LENGTH)
      .u16(short + encoded.length);
  } else {
    writer.u8(short);
  }
  for (const capability of encoded) {
    writer.u8(CAPABILITIES_PARAMETER);
    if (extended) writer.u16(capability.length);
    else writer.u8(capability.length);
    writer.bytes(capability);
  }
  return writer.finish();
}
