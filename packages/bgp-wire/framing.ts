// Message header and framing of the byte stream: RFC 4271 sections 4.1 and 6.1, RFC 8654.
import { ByteWriter } from './bytes.ts';
import { ProtocolError } from './errors.ts';
import { ErrorCode, HeaderError, MessageType } from './iana.ts';

export const HEADER_LENGTH = 19;
export const MAX_MESSAGE_LENGTH = 4096;
/** With the extended message capability; OPEN and KEEPALIVE stay below the old limit. */
export const MAX_EXTENDED_MESSAGE_LENGTH = 65_535;

const MARKER_LENGTH = 16;

const MINIMUM_LENGTH: Readonly<Record<number, number>> = {
  [MessageType.Open]: 29,
  [MessageType.Update]: 23,
  [MessageType.Notification]: 21,
  [MessageType.Keepalive]: HEADER_LENGTH,
  // RFC 7313 section 5 gives short ROUTE-REFRESH messages an error code of their own.
  [MessageType.RouteRefresh]: HEADER_LENGTH,
};

/** One message as it was framed: type and body without the header. */
export type Frame = { readonly type: number; readonly body: Uint8Array };

/**
 * Cuts a byte stream into messages. `push()` what arrived, then call `next()` until it answers
 * undefined. `next()` throws ProtocolError for a header that cannot be right; the stream is then lost.
 */
export class MessageFramer {
  #buffer: Uint8Array = new Uint8Array(0);
  #start = 0;
  #maximumLength = MAX_MESSAGE_LENGTH;

  /** Accepts messages up to 65,535 bytes from now on. */
  allowExtendedMessages(): void {
    this.#maximumLength = MAX_EXTENDED_MESSAGE_LENGTH;
  }

  /** Bytes that wait for the rest of their message. */
  get buffered(): number {
    return this.#buffer.length - this.#start;
  }

  push(chunk: Uint8Array): void {
    if (this.buffered === 0) {
      this.#buffer = chunk;
    } else {
      const joined = new Uint8Array(this.buffered + chunk.length);
      joined.set(this.#buffer.subarray(this.#start));
      joined.set(chunk, this.buffered);
      this.#buffer = joined;
    }
    this.#start = 0;
  }

  next(): Frame | undefined {
    const bytes = this.#buffer;
    const start = this.#start;
    const markerEnd = Math.min(bytes.length, start + MARKER_LENGTH);
    for (let at = start; at < markerEnd; at++) {
      if (bytes[at] !== 0xff) {
        throw new ProtocolError(
          ErrorCode.Header,
          HeaderError.NotSynchronized,
          `Cannot read message: marker byte ${at - start} is "${bytes[at]}", not 255`,
        );
      }
    }
    if (this.buffered < HEADER_LENGTH) return undefined;
    const length = ((bytes[start + 16] as number) << 8) | (bytes[start + 17] as number);
    const type = bytes[start + 18] as number;
    this.#checkHeader(length, type);
    if (this.buffered < length) return undefined;
    this.#start = start + length;
    return { type, body: bytes.subarray(start + HEADER_LENGTH, start + length) };
  }

  #checkHeader(length: number, type: number): void {
    const minimum = MINIMUM_LENGTH[type];
    if (minimum === undefined) {
      throw new ProtocolError(
        ErrorCode.Header,
        HeaderError.BadType,
        `Cannot read message: type "${type}" is unknown`,
        Uint8Array.of(type),
      );
    }
    const maximum =
      type === MessageType.Keepalive
        ? HEADER_LENGTH
        : type === MessageType.Open
          ? MAX_MESSAGE_LENGTH
          : this.#maximumLength;
    if (length < minimum || length > maximum) {
      throw new ProtocolError(
        ErrorCode.Header,
        HeaderError.BadLength,
        `Cannot read message of type ${type}: length "${length}" is not within ${minimum} to ${maximum}`,
        Uint8Array.of(length >>> 8, length & 0xff),
      );
    }
  }
}

/** Of all messages but OPEN and KEEPALIVE. */
export function maximumLength(extended: boolean): number {
  return extended ? MAX_EXTENDED_MESSAGE_LENGTH : MAX_MESSAGE_LENGTH;
}

/** Puts the header before a body. Throws RangeError when the message gets too long to send. */
export function encodeFrame(type: number, body: Uint8Array, extended = false): Uint8Array {
  const length = HEADER_LENGTH + body.length;
  const maximum = maximumLength(extended);
  if (length > maximum) {
    throw new RangeError(
      `Cannot encode message of type ${type}: length "${length}" is above ${maximum}`,
    );
  }
  const writer = new ByteWriter(length);
  for (let word = 0; word < 4; word++) writer.u32(0xffff_ffff);
  return writer.u16(length).u8(type).bytes(body).finish();
}
