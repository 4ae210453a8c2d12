// Connections to peers over TCP.
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Address, formatAddress, parseAddress } from '@calico/ip';
import type { Connection, ConnectionHandler, DialTarget, Transport } from '../ports.ts';

/** What is left of a closed connection may take this long to reach the peer. */
const LINGER_MS = 2_000;

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ETIMEDOUT: 'Connection timed out',
  EADDRNOTAVAIL: 'The source address is not assigned to this node',
  EPIPE: 'Connection closed by peer',
};

export const tcpTransport: Transport = {
  dial({ address, port, sourceAddress }: DialTarget, handler: ConnectionHandler): Connection {
    const socket = connect({
      host: formatAddress(address),
      port,
      family: address.family,
      ...(sourceAddress === undefined ? {} : { localAddress: formatAddress(sourceAddress) }),
    });
    const connection = attach(socket, () => handler);
    socket.once('connect', () => {
      if (connection.isOpen) handler.opened();
    });
    return connection;
  },
};

export type Listener = { readonly port: number; close(): void };

/**
 * Accepts connections on an address; 0.0.0.0 or :: for all addresses of that family.
 * @throws as net.Server does, for example EADDRINUSE
 */
export function listenTcp(
  address: Address,
  port: number,
  accept: (from: Address, connection: Connection) => ConnectionHandler,
): Promise<Listener> {
  const server: Server = createServer({ noDelay: true }, (socket) => {
    const from = remoteAddress(socket);
    if (from === undefined) return socket.destroy();
    let handler: ConnectionHandler | undefined;
    const connection = attach(socket, () => handler);
    handler = accept(from, connection);
    return undefined;
  });
  const { promise, resolve, reject } = Promise.withResolvers<Listener>();
  server.once('error', reject);
  const host = formatAddress(address);
  // Two hundred nodes may come at once after a power failure.
  server.listen({ host, port, ipv6Only: address.family === 6, backlog: 1024 }, () => {
    resolve({ port: portOf(server), close: () => server.close() });
  });
  return promise;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

class TcpConnection implements Connection {
  readonly #socket: Socket;
  isOpen = true;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  send(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    if (this.#socket.connecting) {
      this.#socket.destroy();
      return;
    }
    this.#socket.end();
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }
}

function attach(socket: Socket, handlerOf: () => ConnectionHandler | undefined): TcpConnection {
  const connection = new TcpConnection(socket);
  let reason = 'Connection closed by peer';
  socket.setNoDelay(true);
  socket.on('data', (bytes: Uint8Array) => {
    if (connection.isOpen) handlerOf()?.data(bytes);
  });
  socket.on('drain', () => {
    if (connection.isOpen) handlerOf()?.drained();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    reason = REASONS[error.code ?? ''] ?? error.message;
  });
  socket.on('close', () => {
    if (!connection.isOpen) return;
    connection.isOpen = false;
    handlerOf()?.closed(reason);
  });
  return connection;
}

function remoteAddress(socket: Socket): Address | undefined {
  const text = socket.remoteAddress?.replace(/^::ffff:(?=[0-9]+\.)/, '').replace(/%.*$/, '');
  return text === undefined ? undefined : parseAddress(text);
}
