// ROUTE-REFRESH message: RFC 2918; begin and end of refresh: RFC 7313.
import { ByteReader, ByteWriter } from './bytes.ts';
import { ProtocolError } from './errors.ts';
import { encodeFrame } from './framing.ts';
import { ErrorCode, MessageType } from './iana.ts';

const INVALID_MESSAGE_LENGTH = 1;

export type RouteRefresh = {
  readonly kind: 'route-refresh';
  readonly afi: number;
  readonly safi: number;
  /** 0 request, 1 begin of refresh, 2 end of refresh; others are to be ignored. */
  readonly subtype: number;
};

export const RefreshSubtype = { Request: 0, Begin: 1, End: 2 } as const;

export function decodeRouteRefresh(body: Uint8Array): RouteRefresh {
  // A longer body carries an ORF (RFC 5291), which was not negotiated here.
  if (body.length !== 4) {
    throw new ProtocolError(
      ErrorCode.RouteRefresh,
      INVALID_MESSAGE_LENGTH,
      `Cannot read ROUTE-REFRESH: body length "${body.length}" is not 4`,
      // RFC 7313 section 5: the whole message. What is too long to be sent back is cut as it is encoded.
      encodeFrame(MessageType.RouteRefresh, body, true),
    );
  }
  const reader = new ByteReader(body);
  const afi = reader.u16();
  const subtype = reader.u8();
  return { kind: 'route-refresh', afi, subtype, safi: reader.u8() };
}

export function encodeRouteRefresh({ afi, safi, subtype }: RouteRefresh): Uint8Array {
  return new ByteWriter(4).u16(afi).u8(subtype).u8(safi).finish();
}
