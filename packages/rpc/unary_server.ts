// The short ways of a unary call through a grpc-js server. grpc-js listens, serves streams and all that is
// unusual; a unary call needs none of its interceptors, queues and metadata objects, which cost more than
// most handlers. A client of ours, which says that it makes unary calls only, does not need node:http2
// either.
import {
  constants,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Server } from '@grpc/grpc-js';
import { RpcError } from './errors.ts';
import { CLIENT_GREETING, Http2Connection, MOST_STREAMS } from './http2/connection.ts';
import { CODE } from './http2/frames.ts';
import type { Headers } from './http2/header_decoder.ts';
import type { Header } from './http2/header_table.ts';
import type { Stream, StreamOwner } from './http2/stream.ts';
import {
  type CallCarrier,
  type CallLimits,
  ServedCall,
  type UnaryCall,
  type UnaryRoute,
} from './served_call.ts';

const HEADERS = { ':status': 200, 'content-type': 'application/grpc+proto' } as const;
const SHORT_HEADERS: readonly Header[] = [
  [':status', '200'],
  ['content-type', 'application/grpc+proto'],
];
const SUCCESS: Header[] = [['grpc-status', '0']];
const CONTENT_TYPE = 'application/grpc';

export type UnaryRoutes = ReadonlyMap<string, UnaryRoute>;

/** The connections that this file serves by itself. */
export class ShortConnections {
  readonly #open = new Set<Http2Connection>();
  /** Whose first bytes are awaited, or the end of whose TLS handshake; by their other end. */
  readonly #greeting = new Map<string | Socket, Socket>();
  #isLeaving = false;

  /** A connection that TLS begins on; greet() gets the deciphered one of the same other end. */
  shakeHands(socket: Socket): void {
    this.#await(socket);
  }

  /** Tells the first bytes of a new connection, and whether a client of ours is at the other end. */
  greet(socket: Socket, tell: (bytes: Buffer, isOurs: boolean) => void): void {
    const settle = this.#await(socket);
    if (socket.destroyed) return;
    readGreeting(socket, (bytes, isOurs) => {
      settle();
      tell(bytes, isOurs);
    });
  }

  #await(socket: Socket): () => void {
    if (this.#isLeaving) socket.destroy();
    const other = otherEnd(socket);
    const settle = (): void => {
      if (this.#greeting.get(other) === socket) this.#greeting.delete(other);
    };
    if (!socket.destroyed) this.#greeting.set(other, socket);
    socket.once('close', settle);
    return settle;
  }

  add(socket: Socket, greeting: Buffer, routes: UnaryRoutes, mostBytes: number): void {
    const handlers = { running: 0 };
    const connection: Http2Connection = new Http2Connection(socket, 'server', {
      onStream: (stream, headers) => {
        if (handlers.running >= MOST_STREAMS) return undefined;
        const route = isUsual(headers) ? routes.get(String(headers[':path'])) : undefined;
        const found = { route: route ?? unknownRoute, mostBytes, handlers };
        return new ShortCall(connection, stream, headers, found);
      },
      onClose: () => this.#open.delete(connection),
    });
    this.#open.add(connection);
    connection.receive(greeting);
  }

  /** Lets calls finish, takes no new ones, and no connections. */
  leave(): void {
    this.#isLeaving = true;
    for (const socket of this.#greeting.values()) socket.destroy();
    for (const connection of this.#open) connection.leave();
  }

  destroy(): void {
    for (const connection of this.#open) connection.destroy();
  }
}

/** Of a Unix socket's it is nothing, but TLS is not spoken there. */
function otherEnd(socket: Socket): string | Socket {
  const { remoteAddress, remotePort } = socket;
  return remoteAddress === undefined ? socket : `${remoteAddress}:${remotePort}`;
}

/**
 * From now on the server's listeners answer the routes (by path) in the short ways. A version of grpc-js
 * that keeps its listeners elsewhere goes on answering everything itself.
 */
export function takeUnaryCalls(
  server: Server,
  routes: UnaryRoutes,
  mostBytes: number,
  connections = new ShortConnections(),
): void {
  const { http2Servers } = server as unknown as {
    http2Servers?: ReadonlyMap<Http2Server, unknown>;
  };
  for (const listener of http2Servers?.keys() ?? []) {
    const general = listener.listeners('stream');
    if (general.length !== 1 || general[0] === undefined || taken.has(listener)) continue;
    taken.add(listener);
    const handlers = { running: 0 }; // node:http2 itself ends connections that reset too often
    listener.removeAllListeners('stream');
    listener.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      const route = isUsual(headers) ? routes.get(String(headers[':path'])) : undefined;
      if (route === undefined) Reflect.apply(general[0] as () => void, listener, [stream, headers]);
      else serveStream(stream, headers, { route, mostBytes, handlers });
    });
    takeConnections(listener, connections, (socket, greeting) =>
      connections.add(socket, greeting, routes, mostBytes),
    );
  }
}

const taken = new WeakSet<Http2Server>();

function takeConnections(
  listener: Http2Server,
  connections: ShortConnections,
  take: (socket: Socket, greeting: Buffer) => void,
): void {
  // Of a TLS listener the sockets that are deciphered come by another event.
  const isSecure = listener.listenerCount('secureConnection') > 0;
  const event = isSecure ? 'secureConnection' : 'connection';
  if (isSecure) {
    listener.prependListener('connection', (socket: Socket) => connections.shakeHands(socket));
  }
  const [general] = listener.listeners(event) as [((socket: Socket) => void) | undefined];
  if (general === undefined) return;
  listener.off(event, general);
  listener.prependListener(event, (socket: Socket) => {
    connections.greet(socket, (bytes, isOurs) => {
      if (isOurs) {
        take(socket, bytes);
        return;
      }
      socket.unshift(bytes);
      general.call(listener, socket);
    });
  });
}

/** Whoever connects and says nothing for so long is let go. */
const GREETING_MS = 20_000;
const ENDS = ['error', 'end', 'timeout'] as const;

/** Reads until it is known whether a client of ours is at the other end. */
function readGreeting(socket: Socket, tell: (bytes: Buffer, isOurs: boolean) => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  const end = (): void => void socket.destroy();
  const read = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    bytes = Buffer.concat([bytes, chunk]);
    const length = Math.min(bytes.length, CLIENT_GREETING.length);
    const isLike = CLIENT_GREETING.compare(bytes, 0, length, 0, length) === 0;
    if (isLike && length < CLIENT_GREETING.length) return;
    socket.setTimeout(0);
    for (const event of ENDS) socket.off(event, end);
    socket.off('readable', read);
    tell(bytes, isLike);
  };
  socket.setTimeout(GREETING_MS);
  for (const event of ENDS) socket.on(event, end);
  socket.on('readable', read);
}

class ShortCall implements CallCarrier, StreamOwner {
  readonly #connection: Http2Connection;
  readonly #stream: Stream;
  readonly #call: ServedCall;
  isOpen = true;

  constructor(connection: Http2Connection, stream: Stream, headers: Headers, limits: CallLimits) {
    this.#connection = connection;
    this.#stream = stream;
    this.#call = new ServedCall(this, headers, limits);
  }

  get peer(): string {
    return this.#connection.peer;
  }

  respond(frame: Uint8Array): void {
    this.isOpen = false;
    this.#connection.respond(this.#stream, SHORT_HEADERS, frame, SUCCESS);
  }

  refuse(headers: Headers): void {
    this.isOpen = false;
    this.#connection.respond(this.#stream, [...SHORT_HEADERS, ...Object.entries(headers)]);
  }

  cut(): void {
    this.#connection.reset(this.#stream, CODE.NO_ERROR);
  }

  onHeaders(_headers: Headers, isEnd: boolean): void {
    if (isEnd) this.#call.end();
  }

  onData(bytes: Buffer, isEnd: boolean): void {
    if (bytes.length > 0) this.#call.take(bytes);
    if (isEnd) this.#call.end();
  }

  onReset(): void {
    this.isOpen = false;
    this.#call.close();
  }

  onHeadersTooLong(): void {
    this.onReset();
  }
}

class StreamCarrier implements CallCarrier {
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  get peer(): string {
    const { remoteAddress, remotePort } = this.#stream.session?.socket ?? {};
    return remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort}`;
  }

  /** A stream that the client has reset is closed before it is destroyed. */
  get isOpen(): boolean {
    return !this.#stream.closed && !this.#stream.destroyed;
  }

  respond(frame: Uint8Array): void {
    const stream = this.#stream;
    this.#attempt(() => {
      stream.respond(HEADERS, { waitForTrailers: true });
      stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(frame);
    });
  }

  refuse(headers: Headers): void {
    this.#attempt(() => this.#stream.respond({ ...HEADERS, ...headers }, { endStream: true }));
  }

  cut(): void {
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  #attempt(send: () => void): void {
    try {
      send();
    } catch {
      // Who called is gone: nothing that it did may end this process.
    }
  }
}

function serveStream(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  limits: CallLimits,
): void {
  const call = new ServedCall(new StreamCarrier(stream), headers, limits);
  stream.on('data', (chunk: Uint8Array) => call.take(chunk));
  stream.once('end', () => call.end());
  stream.on('error', () => {}); // 'close' follows
  stream.once('close', () => call.close());
}

function isUsual(headers: UnaryCall['headers']): boolean {
  const encoding = headers['grpc-encoding'];
  const type = headers['content-type'];
  const isGrpc = typeof type === 'string' && type.startsWith(CONTENT_TYPE);
  return isGrpc && (encoding === undefined || encoding === 'identity');
}

/** Health and reflection, say, are for general clients. */
async function unknownRoute(_request: Uint8Array, { headers }: UnaryCall): Promise<never> {
  const path = String(headers[':path']);
  throw new RpcError('UNIMPLEMENTED', `The server does not implement unary method "${path}"`);
}
