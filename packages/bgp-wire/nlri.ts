// Prefixes on the wire: RFC 4271 section 4.3, path identifiers RFC 7911 section 3.
import type { Family, Prefix } from '@calico/ip';
import { type ByteReader, type ByteWriter, TruncatedError } from './bytes.ts';

export type Nlri = {
  readonly prefix: Prefix;
  /** Present when ADD-PATH was negotiated for this direction. */
  readonly pathId?: number;
};

/** A prefix that cannot be read: its list is lost, so RFC 7606 section 5.3 asks for a reset. */
export class NlriError extends Error {
  override readonly name = 'NlriError';
}

/** Reads prefixes to the reader's end. Bits behind the length are ignored. Throws NlriError. */
export function decodeNlriList(reader: ByteReader, family: Family, addPath: boolean): Nlri[] {
  const list: Nlri[] = [];
  try {
    while (reader.remaining > 0) list.push(decodeNlri(reader, family, addPath));
  } catch (cause) {
    if (!(cause instanceof TruncatedError)) throw cause;
    throw new NlriError(`Cannot read IPv${family} prefix: ${cause.message}`, { cause });
  }
  return list;
}

function decodeNlri(reader: ByteReader, family: Family, addPath: boolean): Nlri {
  const pathId = addPath ? reader.u32() : undefined;
  const length = reader.u8();
  const bits = family === 4 ? 32 : 128;
  if (length > bits) {
    throw new NlriError(`Cannot read IPv${family} prefix: length "${length}" is above ${bits}`);
  }
  const bytes = reader.bytes((length + 7) >>> 3);
  const value = family === 4 ? ipv4Value(bytes, length) : ipv6Value(bytes, length);
  const prefix: Prefix = { family, value, length };
  return pathId === undefined ? { prefix } : { prefix, pathId };
}

function ipv4Value(bytes: Uint8Array, length: number): bigint {
  const value =
    (((bytes[0] ?? 0) << 24) |
      ((bytes[1] ?? 0) << 16) |
      ((bytes[2] ?? 0) << 8) |
      (bytes[3] ?? 0)) >>>
    0;
  const mask = length === 0 ? 0 : (0xffff_ffff << (32 - length)) >>> 0;
  return BigInt((value & mask) >>> 0);
}

function ipv6Value(bytes: Uint8Array, length: number): bigint {
  const padded = new Uint8Array(16);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  const host = BigInt(128 - length);
  return (((view.getBigUint64(0) << 64n) | view.getBigUint64(8)) >> host) << host;
}

export function encodeNlri(writer: ByteWriter, { prefix, pathId }: Nlri, addPath: boolean): void {
  if (addPath) writer.u32(pathId ?? 0);
  writer.u8(prefix.length);
  const octets = (prefix.length + 7) >>> 3;
  if (prefix.family === 4) {
    const value = Number(prefix.value);
    for (let at = 0; at < octets; at++) writer.u8((value >>> (24 - 8 * at)) & 0xff);
    return;
  }
  for (let at = 0; at < octets; at++) {
    writer.u8(Number((prefix.value >> BigInt(120 - 8 * at)) & 0xffn));
  }
}

/** Bytes that encodeNlri() writes. */
export function nlriLength({ prefix }: Nlri, addPath: boolean): number {
  return (addPath ? 5 : 1) + ((prefix.length + 7) >>> 3);
}
