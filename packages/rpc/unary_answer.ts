import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { failureOfHeaders, type UnaryFailure } from './unary_failure.ts';

const OK = '0';

/** What has come of one answer. */
export class UnaryAnswer {
  readonly chunks: Uint8Array[] = [];
  readonly #mostBytes: number;
  length = 0;
  /** Why the stream ended early; 'close' follows. */
  error: Error | undefined;
  #trailers: IncomingHttpHeaders | undefined;
  #hasEnded = false;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  listen(stream: ClientHttp2Stream, settle: () => void): void {
    stream.on('response', (headers) => {
      const isGrpc = headers['content-type']?.startsWith('application/grpc') === true;
      if (isGrpc && headers['grpc-status'] === undefined) return;
      this.#trailers = headers; // an error without a message
      this.#hasEnded = true;
      settle();
    });
    stream.on('data', (chunk: Uint8Array) => {
      this.length += chunk.length;
      if (this.length <= this.#mostBytes) this.chunks.push(chunk);
      else settle();
    });
    stream.on('trailers', (trailers) => {
      this.#trailers = trailers;
      settle();
    });
    stream.on('end', () => {
      this.#hasEnded = true;
      settle();
    });
    stream.on('error', (error) => {
      this.error = error.cause instanceof Error ? error.cause : error;
    });
  }

  get isComplete(): boolean {
    return this.#hasEnded && this.#trailers !== undefined;
  }

  /** Undefined: a message, or nothing that says why there is none. */
  get failure(): UnaryFailure | undefined {
    if (this.#trailers === undefined || this.#trailers['grpc-status'] === OK) return undefined;
    return failureOfHeaders(this.#trailers);
  }
}
