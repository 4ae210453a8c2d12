// An HTTP/2 connection for unary exchanges, either end of it. node:http2 makes several objects, events and
// system calls of every exchange; here one is a few frames. https://www.rfc-editor.org/rfc/rfc9113
import type { Socket } from 'node:net';
import {
  CODE,
  DEFAULT_WINDOW,
  emptyFrame,
  FLAG,
  FRAME,
  type Frame,
  FrameReader,
  fixedPayload,
  goAwayFrame,
  HEAD_BYTES,
  Http2Error,
  MOST_HEADER_BYTES,
  MOST_WINDOW,
  numberFrame,
  SETTING,
  settingsFrame,
  withoutPadding,
} from './frames.ts';
import { type HeaderBlock, HeaderBlocks } from './header_blocks.ts';
import type { Headers } from './header_decoder.ts';
import type { Header } from './header_table.ts';
import { Outbox } from './outbox.ts';
import { Stream, type StreamOwner } from './stream.ts';

/** What we allow the other end to send before we allow more. */
const STREAM_WINDOW = 4 << 20;
const CONNECTION_WINDOW = 16 << 20;
export const MOST_STREAMS = 4096;
/** A peer that has vanished without a word is noticed by the kernel. */
const PROBE_AFTER_MS = 20_000;
/** After the last word, for the other end to close too. */
const LINGER_MS = 2_000;
/** Streams have numbers of 31 bits; a new connection begins anew. */
const LAST_STREAM = 2 ** 30;

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** Says that only unary calls will come. Whoever does not know a setting ignores it (section 6.5.2). */
const ONLY_UNARY_CALLS = 0xca11;

/** The first bytes of a client of ours: by them a server knows that it may be this short. */
export const CLIENT_GREETING: Buffer = Buffer.concat([
  PREFACE,
  settingsFrame([
    [SETTING.ENABLE_PUSH, 0],
    [SETTING.INITIAL_WINDOW_SIZE, STREAM_WINDOW],
    [SETTING.MAX_HEADER_LIST_SIZE, MOST_HEADER_BYTES],
    [ONLY_UNARY_CALLS, 1],
  ]),
]);

/** Request Header Fields Too Large (RFC 6585). */
const TOO_LONG: readonly Header[] = [[':status', '431']];

const SERVER_GREETING = settingsFrame([
  [SETTING.INITIAL_WINDOW_SIZE, STREAM_WINDOW],
  [SETTING.MAX_CONCURRENT_STREAMS, MOST_STREAMS],
  [SETTING.MAX_HEADER_LIST_SIZE, MOST_HEADER_BYTES],
]);

export type ConnectionEvents = {
  /** The other end speaks HTTP/2. */
  readonly onReady?: () => void;
  /** A server's: a request began. Undefined: it is refused. */
  readonly onStream?: (stream: Stream, headers: Headers) => StreamOwner | undefined;
  /** There may be room for more. */
  readonly onRoom?: () => void;
  /** Once. Undefined: it was closed in order. */
  readonly onClose: (error: Error | undefined) => void;
};

export class Http2Connection {
  readonly #socket: Socket;
  readonly #isServer: boolean;
  readonly #events: ConnectionEvents;
  readonly #reader = new FrameReader();
  readonly #blocks = new HeaderBlocks();
  readonly #outbox: Outbox;
  readonly #streams = new Map<number, Stream>();
  readonly #pings: (() => void)[] = [];
  /** Of a server: the bytes of the preface that are still to come. */
  #prefaceLeft: number;
  #isReady = false;
  #isClosed = false;
  #isLeaving = false;
  #nextStream = 1;
  #lastSeen = 0;
  #mostStreams = Number.POSITIVE_INFINITY;
  /** Bytes that came since we last allowed more. */
  #received = 0;

  constructor(socket: Socket, side: 'client' | 'server', events: ConnectionEvents) {
    this.#socket = socket;
    this.#isServer = side === 'server';
    this.#events = events;
    this.#prefaceLeft = this.#isServer ? PREFACE.length : 0;
    this.#outbox = new Outbox(socket, (stream) => {
      stream.hasSentEnd = true;
      if (stream.hasReceivedEnd) this.#forget(stream);
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, PROBE_AFTER_MS);
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', (error) => this.destroy(error));
    socket.once('end', () => this.destroy());
    socket.once('close', () => this.destroy());
    this.#outbox.write(this.#isServer ? SERVER_GREETING : CLIENT_GREETING);
    const more = CONNECTION_WINDOW - DEFAULT_WINDOW;
    this.#outbox.write(numberFrame(FRAME.WINDOW_UPDATE, 0, more));
  }

  /** Exchanges can be opened, if not at once then when there is room. */
  get isUsable(): boolean {
    return !this.#isClosed && !this.#isLeaving && this.#nextStream < LAST_STREAM;
  }

  get hasRoom(): boolean {
    return this.#streams.size < this.#mostStreams;
  }

  get peer(): string {
    const { remoteAddress, remotePort } = this.#socket;
    return remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort}`;
  }

  /** A client's: sends a whole request. The connection must be usable and have room. */
  request(headers: readonly Header[], body: Uint8Array, owner: StreamOwner): Stream {
    const stream = new Stream(this.#nextStream, this.#outbox.streamWindow);
    this.#nextStream += 2;
    stream.owner = owner;
    this.#streams.set(stream.id, stream);
    this.#outbox.headers(stream, headers, false);
    this.#outbox.body(stream, body, undefined);
    return stream;
  }

  /** A server's: sends a whole answer. `body` undefined: the headers are all. */
  respond(
    stream: Stream,
    headers: readonly Header[],
    body?: Uint8Array,
    trailers?: Header[],
  ): void {
    if (!this.#streams.has(stream.id)) return;
    this.#outbox.headers(stream, headers, body === undefined);
    if (body !== undefined) this.#outbox.body(stream, body, trailers);
  }

  /** Takes an exchange back, if it is not over; its owner is not told. */
  reset(stream: Stream, code: number): void {
    if (!this.#streams.has(stream.id)) return;
    stream.owner = undefined;
    this.#outbox.write(numberFrame(FRAME.RST_STREAM, stream.id, code));
    this.#forget(stream);
  }

  ping(answered: () => void): void {
    this.#pings.push(answered);
    this.#outbox.write(emptyFrame(FRAME.PING, 0, 0, 8).fill(0, HEAD_BYTES));
  }

  /** Takes no new exchanges, and closes when the last one is over. */
  leave(): void {
    if (this.#isClosed || this.#isLeaving) return;
    this.#isLeaving = true;
    this.#outbox.write(goAwayFrame(this.#lastSeen, CODE.NO_ERROR));
    this.#closeIfDone();
  }

  destroy(error?: Error): void {
    if (!this.#isClosed) {
      this.#isClosed = true;
      if (error instanceof Http2Error) {
        this.#outbox.write(goAwayFrame(this.#lastSeen, error.code));
        this.#outbox.flush();
      }
      const streams = [...this.#streams.values()];
      this.#streams.clear();
      for (const { owner } of streams) owner?.onReset(CODE.CANCEL, error);
      this.#events.onClose(error);
    }
    this.#socket.destroy();
  }

  /** Takes bytes of the other end. */
  receive(chunk: Buffer): void {
    const skipped = Math.min(this.#prefaceLeft, chunk.length);
    this.#prefaceLeft -= skipped;
    try {
      this.#reader.read(skipped === 0 ? chunk : chunk.subarray(skipped), (frame) => {
        if (!this.#isClosed) this.#take(frame);
      });
    } catch (error) {
      if (!(error instanceof Http2Error)) throw error;
      this.destroy(error);
    }
  }

  #take(frame: Frame): void {
    if (!this.#isReady && frame.type !== FRAME.SETTINGS) {
      throw new Http2Error(CODE.PROTOCOL_ERROR, 'no settings first');
    }
    this.#blocks.check(frame);
    switch (frame.type) {
      case FRAME.DATA:
        return this.#takeData(frame);
      case FRAME.HEADERS:
      case FRAME.CONTINUATION: {
        const block = this.#blocks.take(frame);
        if (block !== undefined) this.#takeBlock(block);
        return;
      }
      case FRAME.RST_STREAM:
        return this.#takeReset(frame);
      case FRAME.SETTINGS:
        return this.#takeSettings(frame);
      case FRAME.PING:
        return this.#takePing(frame);
      case FRAME.GOAWAY:
        return this.#takeGoAway(frame);
      case FRAME.WINDOW_UPDATE:
        return this.#takeWindow(frame);
      case FRAME.PUSH_PROMISE:
        throw new Http2Error(CODE.PROTOCOL_ERROR, 'a push that nobody wants');
    }
  }

  #takeData(frame: Frame): void {
    const { flags, stream: id, payload } = frame;
    this.#checkBegun(id);
    this.#received += payload.length;
    if (this.#received >= CONNECTION_WINDOW / 2) {
      this.#outbox.write(numberFrame(FRAME.WINDOW_UPDATE, 0, this.#received));
      this.#received = 0;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) return; // taken back meanwhile
    if (stream.hasReceivedEnd) throw new Http2Error(CODE.STREAM_CLOSED, 'data after the end');
    const isEnd = (flags & FLAG.END_STREAM) !== 0;
    stream.received += payload.length;
    if (!isEnd && stream.received >= STREAM_WINDOW / 2) {
      this.#outbox.write(numberFrame(FRAME.WINDOW_UPDATE, id, stream.received));
      stream.received = 0;
    }
    const bytes = withoutPadding(frame, 0);
    if (isEnd) this.#receivedEnd(stream);
    stream.owner?.onData(bytes, isEnd);
  }

  #takeBlock({ stream: id, headers, isEnd }: HeaderBlock): void {
    const isNew = this.#isServer && id > this.#lastSeen;
    const stream = isNew ? this.#accept(id, headers) : this.#streams.get(id);
    if (!isNew) this.#checkBegun(id);
    if (stream === undefined) return;
    if (stream.hasReceivedEnd) throw new Http2Error(CODE.STREAM_CLOSED, 'headers after the end');
    if (headers === undefined) {
      this.#refuseHeaders(stream);
      return;
    }
    if (isEnd) this.#receivedEnd(stream);
    if (!isNew) stream.owner?.onHeaders(headers, isEnd);
    else if (isEnd) stream.owner?.onData(Buffer.alloc(0), true);
  }

  /** Section 10.5.1: the exchange ends, the connection goes on. */
  #refuseHeaders(stream: Stream): void {
    const { owner } = stream;
    if (this.#isServer && !stream.hasSentEnd) this.respond(stream, TOO_LONG);
    this.reset(stream, this.#isServer ? CODE.NO_ERROR : CODE.CANCEL);
    owner?.onHeadersTooLong();
  }

  #accept(id: number, headers: Headers | undefined): Stream | undefined {
    if (id % 2 === 0) throw new Http2Error(CODE.PROTOCOL_ERROR, `a client's stream ${id}`);
    this.#lastSeen = id;
    const stream = new Stream(id, this.#outbox.streamWindow);
    const isFull = this.#isLeaving || this.#streams.size >= MOST_STREAMS;
    if (headers !== undefined && !isFull) stream.owner = this.#events.onStream?.(stream, headers);
    if (stream.owner === undefined && (headers !== undefined || isFull)) {
      this.#outbox.write(numberFrame(FRAME.RST_STREAM, id, CODE.REFUSED_STREAM));
      return undefined;
    }
    this.#streams.set(id, stream);
    return stream;
  }

  #takeReset({ stream: id, payload }: Frame): void {
    this.#checkBegun(id);
    const code = fixedPayload(payload, 4).readUInt32BE();
    this.#end(this.#streams.get(id), code);
  }

  #takeSettings({ flags, payload }: Frame): void {
    if ((flags & FLAG.ACK) !== 0) return;
    if (payload.length % 6 !== 0) throw new Http2Error(CODE.FRAME_SIZE_ERROR, 'settings');
    for (let at = 0; at < payload.length; at += 6) {
      const id = payload.readUInt16BE(at);
      const value = payload.readUInt32BE(at + 2);
      if (id === SETTING.HEADER_TABLE_SIZE) this.#outbox.limitTable(value);
      else if (id === SETTING.MAX_CONCURRENT_STREAMS) this.#mostStreams = value;
      else if (id === SETTING.INITIAL_WINDOW_SIZE) {
        this.#outbox.beginWith(value, this.#streams.values());
      }
    }
    this.#outbox.answer(emptyFrame(FRAME.SETTINGS, FLAG.ACK, 0, 0));
    if (this.#isReady) {
      this.#events.onRoom?.();
    } else {
      this.#isReady = true;
      this.#events.onReady?.();
    }
  }

  #takePing({ flags, payload }: Frame): void {
    fixedPayload(payload, 8);
    if ((flags & FLAG.ACK) !== 0) {
      this.#pings.shift()?.();
      return;
    }
    const frame = emptyFrame(FRAME.PING, FLAG.ACK, 0, 8);
    payload.copy(frame, HEAD_BYTES);
    this.#outbox.answer(frame);
  }

  #takeGoAway({ payload }: Frame): void {
    if (payload.length < 8) throw new Http2Error(CODE.FRAME_SIZE_ERROR, 'a farewell');
    const last = payload.readUInt32BE() & MOST_WINDOW;
    this.#isLeaving = true;
    const unseen = this.#isServer ? [] : [...this.#streams.values()].filter(({ id }) => id > last);
    for (const stream of unseen) this.#end(stream, CODE.REFUSED_STREAM);
    this.#closeIfDone();
  }

  #takeWindow({ stream: id, payload }: Frame): void {
    const more = fixedPayload(payload, 4).readUInt32BE() & MOST_WINDOW;
    const stream = this.#streams.get(id);
    if (id === 0 || stream !== undefined) this.#outbox.allow(stream, more);
    else this.#checkBegun(id);
  }

  /** Frames of streams that never began end the connection; those of streams that are over do not. */
  #checkBegun(id: number): void {
    const begun = this.#isServer ? id <= this.#lastSeen : id < this.#nextStream;
    if (id % 2 === 1 && begun) return;
    throw new Http2Error(CODE.PROTOCOL_ERROR, `stream ${id} has not begun`);
  }

  #receivedEnd(stream: Stream): void {
    stream.hasReceivedEnd = true;
    if (stream.hasSentEnd) this.#forget(stream);
  }

  #end(stream: Stream | undefined, code: number): void {
    if (stream === undefined) return;
    const { owner } = stream;
    stream.owner = undefined;
    this.#forget(stream);
    owner?.onReset(code, undefined);
  }

  #forget(stream: Stream): void {
    this.#outbox.forget(stream);
    if (!this.#streams.delete(stream.id)) return;
    this.#events.onRoom?.();
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (!this.#isLeaving || this.#streams.size > 0 || this.#isClosed) return;
    this.#outbox.flush();
    this.#isClosed = true;
    this.#socket.end();
    this.#socket.setTimeout(LINGER_MS, () => this.#socket.destroy());
    this.#events.onClose(undefined);
  }
}
