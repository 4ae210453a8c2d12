// What is sent: as much as the other end allows, and all frames of a turn of the event loop at once.
import type { Socket } from 'node:net';
import {
  CODE,
  DEFAULT_WINDOW,
  emptyFrame,
  FLAG,
  FRAME,
  HEAD_BYTES,
  Http2Error,
  MOST_PAYLOAD_BYTES,
  MOST_WINDOW,
} from './frames.ts';
import { HeaderEncoder } from './header_encoder.ts';
import type { Header } from './header_table.ts';
import type { Stream } from './stream.ts';

/** Of answers to control frames that the other end does not read. */
const MOST_UNREAD_BYTES = 64 << 20;

export class Outbox {
  readonly #socket: Socket;
  readonly #onSent: (stream: Stream) => void;
  readonly #encoder = new HeaderEncoder();
  /** Those that have more to send than they may. */
  readonly #blocked = new Set<Stream>();
  #frames: Buffer[] = [];
  #isFlushing = false;
  #window = DEFAULT_WINDOW;
  /** Of a new stream. */
  #streamWindow = DEFAULT_WINDOW;

  /** @param onSent the last frame of a stream was written */
  constructor(socket: Socket, onSent: (stream: Stream) => void) {
    this.#socket = socket;
    this.#onSent = onSent;
  }

  get streamWindow(): number {
    return this.#streamWindow;
  }

  write(frame: Buffer): void {
    this.#frames.push(frame);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    process.nextTick(() => this.flush());
  }

  /** Writes what the other end asked for. @throws Http2Error when it lets too much of that lie */
  answer(frame: Buffer): void {
    if (this.#socket.writableLength > MOST_UNREAD_BYTES) {
      throw new Http2Error(CODE.ENHANCE_YOUR_CALM, 'answers are not read');
    }
    this.write(frame);
  }

  flush(): void {
    this.#isFlushing = false;
    const frames = this.#frames;
    const [first] = frames;
    if (first === undefined || this.#socket.destroyed) return;
    this.#frames = [];
    this.#socket.write(frames.length === 1 ? first : Buffer.concat(frames));
  }

  headers(stream: Stream, headers: readonly Header[], isEnd: boolean): void {
    const block = this.#encoder.encode(headers);
    const end = isEnd ? FLAG.END_STREAM : 0;
    for (let at = 0; at === 0 || at < block.length; at += MOST_PAYLOAD_BYTES) {
      const part = block.subarray(at, at + MOST_PAYLOAD_BYTES);
      const isLast = at + part.length === block.length ? FLAG.END_HEADERS : 0;
      const type = at === 0 ? FRAME.HEADERS : FRAME.CONTINUATION;
      const frame = emptyFrame(type, (at === 0 ? end : 0) | isLast, stream.id, part.length);
      frame.set(part, HEAD_BYTES);
      this.write(frame);
    }
    if (isEnd) this.#onSent(stream);
  }

  /** @param trailers undefined: the body is the end of the stream */
  body(stream: Stream, body: Uint8Array, trailers: readonly Header[] | undefined): void {
    stream.pending = { body, trailers };
    this.#drain(stream);
  }

  forget(stream: Stream): void {
    this.#blocked.delete(stream);
  }

  /** The other end takes more. `stream` undefined: of all together. @throws Http2Error */
  allow(stream: Stream | undefined, more: number): void {
    if (more === 0) throw new Http2Error(CODE.PROTOCOL_ERROR, 'a window that does not grow');
    const window = more + (stream?.window ?? this.#window);
    if (window > MOST_WINDOW)
      throw new Http2Error(CODE.FLOW_CONTROL_ERROR, `a window of ${window}`);
    if (stream === undefined) this.#window = window;
    else stream.window = window;
    this.#drainAll();
  }

  /** Every stream begins with this, and those that have begun are treated as if. @throws Http2Error */
  beginWith(window: number, streams: Iterable<Stream>): void {
    if (window > MOST_WINDOW)
      throw new Http2Error(CODE.FLOW_CONTROL_ERROR, `a window of ${window}`);
    for (const stream of streams) stream.window += window - this.#streamWindow;
    this.#streamWindow = window;
    this.#drainAll();
  }

  limitTable(bytes: number): void {
    this.#encoder.limit(bytes);
  }

  #drainAll(): void {
    for (const stream of this.#blocked) this.#drain(stream);
  }

  #drain(stream: Stream): void {
    const { pending } = stream;
    if (pending === undefined) return;
    const { body, trailers } = pending;
    let at = 0;
    do {
      const windows = Math.max(0, Math.min(stream.window, this.#window));
      const length = Math.min(body.length - at, windows, MOST_PAYLOAD_BYTES);
      if (length === 0 && at < body.length) {
        pending.body = body.subarray(at);
        this.#blocked.add(stream);
        return;
      }
      const isEnd = trailers === undefined && at + length === body.length;
      const frame = emptyFrame(FRAME.DATA, isEnd ? FLAG.END_STREAM : 0, stream.id, length);
      frame.set(body.subarray(at, at + length), HEAD_BYTES);
      this.write(frame);
      stream.window -= length;
      this.#window -= length;
      at += length;
    } while (at < body.length);
    stream.pending = undefined;
    this.#blocked.delete(stream);
    if (trailers === undefined) this.#onSent(stream);
    else this.headers(stream, trailers, true);
  }
}
