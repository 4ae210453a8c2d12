// What comes of one call: a message, or why there is none.
import { CODE, MOST_HEADER_BYTES } from './http2/frames.ts';
import type { Headers } from './http2/header_decoder.ts';
import type { StreamOwner } from './http2/stream.ts';
import { failureOfHeaders, UnaryFailure } from './unary_failure.ts';
import { messageOf } from './unary_frame.ts';

const OK = '0';

export class UnaryAnswer implements StreamOwner {
  readonly #mostBytes: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #outcome: Uint8Array | UnaryFailure | undefined;
  onSettled: () => void = () => {};

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** There is one when `onSettled` is called. */
  get outcome(): Uint8Array | UnaryFailure {
    return this.#outcome ?? UnaryFailure.lost(undefined);
  }

  giveUp(failure: UnaryFailure): void {
    this.#settle(failure);
  }

  onHeaders(headers: Headers, isEnd: boolean): void {
    const status = headers['grpc-status'];
    const isGrpc = headers['content-type']?.startsWith('application/grpc') === true;
    if (status === undefined && (isEnd || !isGrpc)) this.#settle(failureOfHeaders(headers));
    else if (status !== undefined && status !== OK) this.#settle(failureOfHeaders(headers));
    else if (isEnd) this.#settle(this.#message());
  }

  onData(bytes: Buffer, isEnd: boolean): void {
    this.#length += bytes.length;
    if (this.#length > this.#mostBytes) this.#settle(UnaryFailure.tooLong(this.#mostBytes));
    else if (isEnd) this.#settle(UnaryFailure.lost(new Error('The answer has no status')));
    else this.#chunks.push(bytes);
  }

  onHeadersTooLong(): void {
    this.#settle(UnaryFailure.tooLong(MOST_HEADER_BYTES, 'headers'));
  }

  onReset(code: number, error: Error | undefined): void {
    if (code === CODE.REFUSED_STREAM) this.#settle(UnaryFailure.refused());
    else this.#settle(UnaryFailure.lost(error));
  }

  #message(): Uint8Array | UnaryFailure {
    try {
      return messageOf(this.#chunks, this.#length);
    } catch (cause) {
      return UnaryFailure.internal(cause);
    }
  }

  #settle(outcome: Uint8Array | UnaryFailure): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    this.#chunks = [];
    this.onSettled();
  }
}
