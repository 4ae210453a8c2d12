// Connections to peers over TCP.
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Address, formatAddress, type Prefix, parseAddress } from '@calico/ip';
import type { SecretName } from '../core/cluster/secrets.ts';
import type { PeerSocket } from '../core/speaker/config.ts';
import type { Connection, ConnectionHandler, DialTarget, Transport } from '../ports.ts';
import { RawDial } from './raw_dial.ts';
import { RawTcpSocket, setTtl } from './tcp_socket.ts';

/** What is left of a closed connection may take this long to reach the peer. */
const LINGER_MS = 2_000;
/** The same for a single message. */
const FAREWELL_MS = 1_000;
/** The kernel's probes notice the end of a peer when the hold time is 0. */
const KEEPALIVE_MS = 60_000;

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ETIMEDOUT: 'Connection timed out',
  EADDRNOTAVAIL: 'The source address is not assigned to this node',
  EPIPE: 'Connection closed by peer',
};

export type PasswordOf = (secret: SecretName) => string | undefined;

/** @param passwordOf the passwords that peers' sockets refer to */
export function createTcpTransport(passwordOf: PasswordOf): Transport {
  return {
    dial(target: DialTarget, handler: ConnectionHandler): Connection {
      const { password, ttl } = target.socket;
      const isPlain = password === undefined && ttl === undefined;
      // Deno connects to no address with an interface.
      if (isPlain && target.interface === undefined) return dialPlain(target, handler);
      const secret = password === undefined ? undefined : passwordOf(password);
      const adopt = (socket: Socket): Connection => attach(socket, () => handler);
      return new RawDial(target, secret, handler, adopt, (code) => REASONS[code] ?? code);
    },
  };
}

/** For peers without passwords. */
export const tcpTransport: Transport = createTcpTransport(() => undefined);

function dialPlain(
  { address, port, sourceAddress }: DialTarget,
  handler: ConnectionHandler,
): Connection {
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
}

/** @param interfaceName where a link-local address is; Deno does not say */
export type Accept = (
  from: Address,
  connection: Connection,
  interfaceName?: string,
) => ConnectionHandler;

export type ListenOptions = {
  readonly address: Address;
  readonly port: number;
  /** The address need not be on an interface yet. */
  readonly mayBeAbsent?: boolean;
  readonly accept: Accept;
  /** TTLs of those who connect; 'refuse' who must not. @param interfaceName as of Accept */
  readonly socketOf?: (
    from: Address,
    interfaceName: string | undefined,
  ) => PeerSocket | 'refuse' | undefined;
  /** Is called before anybody can connect. */
  readonly prepare?: (passwords: Passwords) => void;
};

export type Passwords = {
  /** Those who connect from inside have to sign (RFC 2385); undefined: no longer. @throws SocketError */
  setPassword(peers: Prefix, password: string | undefined): void;
};

export type Listener = Passwords & {
  readonly port: number;
  close(): void;
};

/** Enough for peers with GTSM (RFC 5082), whatever is answered before it is known who asks. */
const GREATEST_TTL = 255;
/** The kernel's own again, for IP_TTL as for IPV6_UNICAST_HOPS. */
const DEFAULT_TTL = -1;
/** Two hundred nodes may come at once after a power failure. */
const BACKLOG = 1024;

/**
 * Accepts connections on an address; 0.0.0.0 or :: for all addresses of that family.
 * @throws SocketError, for example with code EADDRINUSE
 */
export function listenTcp(options: ListenOptions): Promise<Listener> {
  const { accept, socketOf } = options;
  const server: Server = createServer({ noDelay: true }, (socket) => {
    const from = remoteAddress(socket);
    const [, interfaceName] = socket.remoteAddress?.split('%') ?? [];
    if (from === undefined || !restrict(socket, from, socketOf?.(from, interfaceName))) {
      return socket.destroy();
    }
    let handler: ConnectionHandler | undefined;
    const connection = attach(socket, () => handler);
    handler = accept(from, connection, interfaceName);
    return undefined;
  });
  const { promise, resolve, reject } = Promise.withResolvers<Listener>();
  server.once('error', reject);
  const raw = openListening(options);
  server.listen({ fd: raw.fd, backlog: BACKLOG }, () => {
    resolve({
      port: portOf(server),
      setPassword: (peers, password) => raw.setPassword(peers, password),
      close: () => server.close(),
    });
  });
  return promise;
}

function openListening({ address, port, mayBeAbsent, prepare }: ListenOptions): RawTcpSocket {
  const raw = new RawTcpSocket(address.family);
  try {
    raw.allowReuse();
    if (mayBeAbsent === true) raw.allowAbsentAddress();
    raw.setTtl({ ttl: GREATEST_TTL, minimumTtl: undefined });
    raw.bind(address, port);
    prepare?.(raw);
    raw.listen(BACKLOG);
    return raw;
  } catch (cause) {
    raw.close();
    throw cause;
  }
}

/** Whether the accepted connection has the peer's TTLs; Deno does not give out its descriptor. */
function restrict(
  socket: Socket,
  { family }: Address,
  options: PeerSocket | 'refuse' | undefined,
): boolean {
  if (options === 'refuse') return false;
  const { ttl = DEFAULT_TTL, minimumTtl } = options ?? {};
  const { _handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } };
  if (_handle?.fd === undefined) return minimumTtl === undefined;
  try {
    setTtl(_handle.fd, family, { ttl, minimumTtl });
    return true;
  } catch {
    // The kernel, or who guards it, has refused: only what has to be checked must not go on.
    return minimumTtl === undefined;
  }
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

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
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
    setTimeout(() => this.#discard(), LINGER_MS).unref();
  }

  turnAway(farewell?: Uint8Array): void {
    this.isOpen = false;
    if (farewell === undefined) {
      this.#socket.resetAndDestroy();
      return;
    }
    this.#socket.pause();
    this.#socket.end(farewell);
    setTimeout(() => this.#socket.destroy(), FAREWELL_MS).unref();
  }

  /** The kernel would go on for minutes to offer what a peer does not read. */
  #discard(): void {
    if (this.#socket.writableLength > 0) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }
}

function attach(socket: Socket, handlerOf: () => ConnectionHandler | undefined): TcpConnection {
  const connection = new TcpConnection(socket);
  let reason = 'Connection closed by peer';
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEPALIVE_MS);
  socket.on('data', (bytes: Uint8Array) => {
    if (connection.isOpen) handlerOf()?.data(plainBytes(bytes));
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

/** Without the runtime's Buffer, a kind of its own: code compiled for one is thrown away at the sight of the other. */
function plainBytes({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function remoteAddress(socket: Socket): Address | undefined {
  const text = socket.remoteAddress?.replace(/^::ffff:(?=[0-9]+\.)/, '').replace(/%.*$/, '');
  return text === undefined ? undefined : parseAddress(text);
}
