// HTTP/2 frames as bytes. https://www.rfc-editor.org/rfc/rfc9113#section-4.1

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;

export const SETTING = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

export const CODE = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

export const HEAD_BYTES = 9;
/** What both ends may send unless the other one allows more; we never do. */
export const MOST_PAYLOAD_BYTES = 16_384;
export const MOST_WINDOW = 2 ** 31 - 1;
export const DEFAULT_WINDOW = 65_535;
/** Headers that are longer (section 6.5.2 says how that is counted) are not looked at. */
export const MOST_HEADER_BYTES = 64 << 10;

/** What ends a connection. */
export class Http2Error extends Error {
  override readonly name = 'Http2Error';
  readonly code: number;

  constructor(code: number, detail: string) {
    super(`Protocol error: ${detail}`);
    this.code = code;
  }
}

export type Frame = {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  /** A part of what was read: to be copied by whoever keeps it. */
  readonly payload: Buffer;
};

/** Cuts what arrives into frames. */
export class FrameReader {
  #rest: Buffer | undefined;

  /** @throws Http2Error when a frame is longer than we allow */
  read(chunk: Buffer, take: (frame: Frame) => void): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    let at = 0;
    while (bytes.length - at >= HEAD_BYTES) {
      const length = bytes.readUIntBE(at, 3);
      if (length > MOST_PAYLOAD_BYTES) {
        throw new Http2Error(CODE.FRAME_SIZE_ERROR, `a frame of ${length} bytes`);
      }
      const end = at + HEAD_BYTES + length;
      if (end > bytes.length) break;
      take({
        type: bytes[at + 3] as number,
        flags: bytes[at + 4] as number,
        stream: bytes.readUInt32BE(at + 5) & 0x7fffffff,
        payload: bytes.subarray(at + HEAD_BYTES, end),
      });
      at = end;
    }
    if (at < bytes.length) this.#rest = bytes.subarray(at);
  }
}

/** A frame whose payload is still to be filled in, from HEAD_BYTES on. */
export function emptyFrame(type: number, flags: number, stream: number, length: number): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + length);
  frame[0] = length >> 16;
  frame[1] = length >> 8;
  frame[2] = length;
  frame[3] = type;
  frame[4] = flags;
  frame.writeUInt32BE(stream, 5);
  return frame;
}

export function numberFrame(type: number, stream: number, value: number): Buffer {
  const frame = emptyFrame(type, 0, stream, 4);
  frame.writeUInt32BE(value, HEAD_BYTES);
  return frame;
}

export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const frame = emptyFrame(FRAME.SETTINGS, 0, 0, 6 * settings.length);
  settings.forEach(([id, value], index) => {
    frame.writeUInt16BE(id, HEAD_BYTES + 6 * index);
    frame.writeUInt32BE(value, HEAD_BYTES + 6 * index + 2);
  });
  return frame;
}

export function goAwayFrame(lastStream: number, code: number): Buffer {
  const frame = emptyFrame(FRAME.GOAWAY, 0, 0, 8);
  frame.writeUInt32BE(lastStream, HEAD_BYTES);
  frame.writeUInt32BE(code, HEAD_BYTES + 4);
  return frame;
}

/** @throws Http2Error unless the payload has this length */
export function fixedPayload(payload: Buffer, length: number): Buffer {
  if (payload.length === length) return payload;
  throw new Http2Error(CODE.FRAME_SIZE_ERROR, `a payload of ${payload.length} bytes`);
}

/** What is between `skipped` bytes and the padding. @throws Http2Error */
export function withoutPadding({ flags, payload }: Frame, skipped: number): Buffer {
  const isPadded = (flags & FLAG.PADDED) !== 0;
  const from = (isPadded ? 1 : 0) + skipped;
  const to = payload.length - (isPadded ? (payload[0] ?? 0) : 0);
  if (from > to) throw new Http2Error(CODE.PROTOCOL_ERROR, 'more padding than payload');
  return from === 0 && to === payload.length ? payload : payload.subarray(from, to);
}
