// Unary gRPC over HTTP/2 on a unix socket, with nothing but node:http2: loading a gRPC library would take
// longer than all the rest. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2';
import { createConnection } from 'node:net';
import { CniError, ErrorCode } from './cni_error.ts';
import {
  FELIX_SERVICE,
  type Felix,
  METHODS,
  type MethodName,
  type RequestOf,
  type ResponseOf,
} from './felix_contract.ts';
import { grpcFailure } from './grpc_status.ts';
import { decodeMessage, encodeMessage, type Message } from './protobuf_wire.ts';

const FRAME_PREFIX_BYTES = 5;
/** Of the server and of ourselves: nothing that felix answers comes near it. */
const MAXIMUM_MESSAGE_BYTES = 4 * 1024 * 1024;

export class FelixClient implements Felix {
  readonly #socketPath: string;
  readonly #timeoutMs: number;
  #session: ClientHttp2Session | undefined;

  constructor(socketPath: string, timeoutMs: number) {
    this.#socketPath = socketPath;
    this.#timeoutMs = timeoutMs;
  }

  async call<K extends MethodName>(method: K, request: RequestOf<K>): Promise<ResponseOf<K>> {
    const [requestMessage, responseMessage]: readonly [Message, Message] = METHODS[method];
    const body = await this.#unary(method, frame(encodeMessage(requestMessage, request)));
    try {
      return decodeMessage(responseMessage, unframe(body)) as ResponseOf<K>;
    } catch (cause) {
      const details = cause instanceof Error ? cause.message : '';
      throw new CniError(
        ErrorCode.Internal,
        `Cannot understand the answer of felix to "${method}"`,
        details,
        { cause },
      );
    }
  }

  close(): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #unary(method: string, request: Uint8Array): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const session = this.#connect(reject);
    const stream = session.request({
      ':method': 'POST',
      ':path': `/${FELIX_SERVICE}/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': `${this.#timeoutMs}m`,
    });
    // The server keeps the deadline too; a little later, so that its answer has the first word.
    const timer = setTimeout(() => {
      stream.close(constants.NGHTTP2_CANCEL);
      reject(grpcFailure(method, 4, 'no answer in time'));
    }, this.#timeoutMs + 500);
    const chunks: Uint8Array[] = [];
    let length = 0;
    let headers: IncomingHttpHeaders = {};
    stream.on('response', (received) => {
      headers = { ...received };
    });
    stream.on('trailers', (received) => {
      headers = { ...headers, ...received };
    });
    stream.on('data', (chunk: Uint8Array) => {
      length += chunk.length;
      if (length <= MAXIMUM_MESSAGE_BYTES) chunks.push(chunk);
    });
    stream.on('error', (cause) => reject(this.#broken(cause)));
    stream.on('close', () => {
      clearTimeout(timer);
      const failure = failureOf(method, headers, length);
      if (failure) reject(failure);
      else resolve(concatenate(chunks));
    });
    stream.end(request);
    return promise;
  }

  #connect(reject: (error: CniError) => void): ClientHttp2Session {
    if (this.#session && !this.#session.destroyed) return this.#session;
    const session = connect('http://localhost', {
      createConnection: () => createConnection(this.#socketPath),
    });
    session.on('error', (cause) => reject(this.#broken(cause)));
    this.#session = session;
    return session;
  }

  #broken(cause: Error): CniError {
    const code = codeOf(cause);
    const state = STATES[code] ?? (code || cause.message);
    const kind = code === 'EACCES' ? ErrorCode.IoFailure : ErrorCode.TryAgainLater;
    const message = `Cannot reach felix at "${this.#socketPath}": ${state}`;
    return new CniError(kind, message, cause.message, { cause });
  }
}

// When there is no connection the stream is cancelled first; why, is the cause of its error.
function codeOf(error: Error): string {
  const inner = error.cause instanceof Error ? codeOf(error.cause) : '';
  return inner || ('code' in error ? String(error.code) : '');
}

const STATES: Readonly<Record<string, string>> = {
  ENOENT: 'the socket does not exist; is felix running on this node?',
  ECONNREFUSED: 'nobody listens; is felix running on this node?',
  ENOTSOCK: 'it is not a socket',
  EACCES: 'permission denied',
  ECONNRESET: 'the connection was closed; felix may be restarting',
  ERR_HTTP2_STREAM_ERROR: 'the call was cut off; felix may be restarting',
  ERR_HTTP2_GOAWAY_SESSION: 'felix is stopping',
  ERR_HTTP2_INVALID_SESSION: 'the connection was closed; felix may be restarting',
};

function failureOf(
  method: string,
  headers: IncomingHttpHeaders,
  length: number,
): CniError | undefined {
  const status = headers['grpc-status'];
  if (status === undefined) {
    const http = headers[':status'];
    const what = http === undefined ? 'the connection was closed' : `HTTP status ${String(http)}`;
    return grpcFailure(method, 14, `no gRPC status, ${what}`);
  }
  if (length > MAXIMUM_MESSAGE_BYTES) {
    return grpcFailure(method, 13, `the answer has ${length} bytes`);
  }
  if (status === '0') return undefined;
  return grpcFailure(
    method,
    Number(status),
    decodeMessageHeader(String(headers['grpc-message'] ?? '')),
  );
}

// Percent-encoded UTF-8; what is not decodable is shown as it came.
function decodeMessageHeader(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function frame(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FRAME_PREFIX_BYTES + message.length);
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, FRAME_PREFIX_BYTES);
  return bytes;
}

function unframe(bytes: Uint8Array): Uint8Array {
  if (bytes.length < FRAME_PREFIX_BYTES) throw new RangeError('the answer holds no message');
  if (bytes[0] !== 0) throw new RangeError('the answer is compressed');
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  if (bytes.length !== FRAME_PREFIX_BYTES + length) {
    throw new RangeError(`the answer has ${bytes.length} bytes, its frame ${length}`);
  }
  return bytes.subarray(FRAME_PREFIX_BYTES);
}

function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}
