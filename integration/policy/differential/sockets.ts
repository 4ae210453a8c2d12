// Sockets of libc in any network namespace, all of them in this process and none of them waiting.
import { addressBytes, addressFromBytes, formatAddress, parseAddress } from '@calico/ip';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const functions = {
  socket: libc.func('int socket(int, int, int)'),
  bind: libc.func('int bind(int, void*, uint32_t)'),
  connect: libc.func('int connect(int, void*, uint32_t)'),
  listen: libc.func('int listen(int, int)'),
  accept: libc.func('int accept(int, void*, void*)'),
  setsockopt: libc.func('int setsockopt(int, int, int, void*, uint32_t)'),
  getsockopt: libc.func('int getsockopt(int, int, int, void*, void*)'),
  getpeername: libc.func('int getpeername(int, void*, void*)'),
  send: libc.func('long send(int, void*, size_t, int)'),
  sendto: libc.func('long sendto(int, void*, size_t, int, void*, uint32_t)'),
  recv: libc.func('long recv(int, void*, size_t, int)'),
  recvfrom: libc.func('long recvfrom(int, void*, size_t, int, void*, void*)'),
  close: libc.func('int close(int)'),
  setaffinity: libc.func('int sched_setaffinity(int, size_t, void*)'),
  getaffinity: libc.func('int sched_getaffinity(int, size_t, void*)'),
};

const [AF_INET, AF_INET6, AF_NETLINK] = [2, 10, 16];
const [SOCK_STREAM, SOCK_DGRAM, SOCK_RAW] = [1, 2, 3];
const [SOL_SOCKET, SO_REUSEADDR, SO_ERROR, SO_LINGER, SO_RCVBUFFORCE] = [1, 2, 4, 13, 33];
const SOCK_NONBLOCK = 0x800;
const SCTP = 132;
const ECONNREFUSED = 111;
const RECEIVE_BUFFER = 8 * 1024 * 1024;

export type Family = 4 | 6;

function domain(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

function checked(action: string, result: unknown): number {
  if (Number(result) >= 0) return Number(result);
  throw new Error(`Cannot ${action}: errno ${koffi.errno()}`);
}

function socketAddress(text: string, port: number): Uint8Array {
  const address = parseAddress(text);
  const bytes = new Uint8Array(address.family === 4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, domain(address.family), true);
  view.setUint16(2, port);
  bytes.set(addressBytes(address), address.family === 4 ? 4 : 8);
  return bytes;
}

function option(fd: number, name: number, ...values: readonly number[]): void {
  const bytes = new Uint8Array(Int32Array.from(values).buffer);
  checked('set a socket option', functions.setsockopt(fd, SOL_SOCKET, name, bytes, bytes.length));
}

function close(fd: number): void {
  functions.close(fd);
}

export function hasSctpSockets(): boolean {
  const fd = Number(functions.socket(AF_INET, SOCK_STREAM, SCTP));
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/** Everything this thread sends from now on is handled by one CPU, in order. */
export function stayOnOneCpu(): void {
  const mask = new Uint8Array(128);
  checked('read the CPUs', functions.getaffinity(0, mask.length, mask));
  const index = mask.findIndex((byte) => byte !== 0);
  const byte = mask[index] ?? 1;
  mask.fill(0);
  mask[index] = byte & -byte;
  checked('stay on one CPU', functions.setaffinity(0, mask.length, mask));
}

/** A socket that gets every packet of a protocol that reaches this host, after its packet filter. */
export class RawSocket {
  readonly #fd: number;
  readonly #family: Family;
  readonly #buffer = new Uint8Array(2048);
  readonly #from = new Uint8Array(28);
  readonly #fromLength = new Uint32Array(1);

  constructor(family: Family, protocol: number) {
    const type = SOCK_RAW | SOCK_NONBLOCK;
    this.#fd = checked('open a raw socket', functions.socket(domain(family), type, protocol));
    this.#family = family;
    option(this.#fd, SO_RCVBUFFORCE, RECEIVE_BUFFER);
  }

  send(destination: string, payload: Uint8Array): void {
    const to = socketAddress(destination, 0);
    functions.sendto(this.#fd, payload, payload.length, 0, to, to.length);
  }

  /** What has arrived; undefined: nothing (more). */
  receive(): { readonly source: string; readonly payload: Uint8Array } | undefined {
    this.#fromLength[0] = this.#from.length;
    const { recvfrom } = functions;
    const buffer = this.#buffer;
    const size = Number(recvfrom(this.#fd, buffer, buffer.length, 0, this.#from, this.#fromLength));
    if (size < 0) return undefined;
    const source = this.#family === 4 ? this.#from.subarray(4, 8) : this.#from.subarray(8, 24);
    // Only of IPv4 the header is given too.
    const start = this.#family === 4 ? ((buffer[0] ?? 0) & 15) * 4 : 0;
    return {
      source: formatAddress(addressFromBytes(source)),
      payload: buffer.slice(start, size),
    };
  }

  close(): void {
    close(this.#fd);
  }
}

type End = { readonly address: string; readonly port: number };

function boundSocket(type: number, source: End): number {
  const { family } = parseAddress(source.address);
  const fd = checked('open a socket', functions.socket(domain(family), type | SOCK_NONBLOCK, 0));
  option(fd, SO_REUSEADDR, 1);
  const own = socketAddress(source.address, source.port);
  checked(`bind ${source.address} port ${source.port}`, functions.bind(fd, own, own.length));
  return fd;
}

/** A connection that was asked for; close() resets it. */
export class TcpAttempt {
  readonly #fd: number;
  #isAnswered: boolean;

  constructor(source: End, destination: End) {
    this.#fd = boundSocket(SOCK_STREAM, source);
    option(this.#fd, SO_LINGER, 1, 0);
    const to = socketAddress(destination.address, destination.port);
    const isOpen = Number(functions.connect(this.#fd, to, to.length)) >= 0;
    // The answer may have come before connect() returned.
    this.#isAnswered = isOpen || koffi.errno() === ECONNREFUSED;
  }

  /** Whether the other side has taken or refused the connection. */
  get isAnswered(): boolean {
    const [value, length] = [new Int32Array(1), Uint32Array.of(28)];
    functions.getsockopt(this.#fd, SOL_SOCKET, SO_ERROR, value, Uint32Array.of(4));
    const hasPeer = Number(functions.getpeername(this.#fd, new Uint8Array(28), length)) === 0;
    this.#isAnswered ||= hasPeer || value[0] === ECONNREFUSED;
    return this.#isAnswered;
  }

  close(): void {
    close(this.#fd);
  }
}

export function sendUdp(source: End, destination: End): void {
  const fd = boundSocket(SOCK_DGRAM, source);
  const to = socketAddress(destination.address, destination.port);
  functions.sendto(fd, new Uint8Array(8), 8, 0, to, to.length);
  close(fd);
}

export class TcpListener {
  readonly #fd: number;

  constructor(port: number) {
    this.#fd = boundSocket(SOCK_STREAM, { address: '::', port });
    checked(`listen on port ${port}`, functions.listen(this.#fd, 1024));
  }

  /** Takes and closes what has come. */
  drain(): void {
    for (;;) {
      const fd = Number(functions.accept(this.#fd, null, null));
      if (fd < 0) return;
      close(fd);
    }
  }

  close(): void {
    close(this.#fd);
  }
}

// linux/netfilter/nfnetlink_conntrack.h
const [NETLINK_NETFILTER, CTNETLINK_DELETE, REQUEST_WITH_ACK] = [12, (1 << 8) | 2, 5];

/** Forgets every connection of a namespace. */
export class ConnectionTable {
  readonly #fd: number;

  constructor() {
    const type = SOCK_RAW | SOCK_NONBLOCK;
    this.#fd = checked('open netlink', functions.socket(AF_NETLINK, type, NETLINK_NETFILTER));
  }

  flush(): void {
    const request = new Uint8Array(20);
    const view = new DataView(request.buffer);
    view.setUint32(0, request.length, true);
    view.setUint16(4, CTNETLINK_DELETE, true);
    view.setUint16(6, REQUEST_WITH_ACK, true);
    checked('ask to forget connections', functions.send(this.#fd, request, request.length, 0));
    const answer = new Uint8Array(128);
    checked('forget connections', functions.recv(this.#fd, answer, answer.length, 0));
    const code = new DataView(answer.buffer).getInt32(16, true);
    if (code !== 0) throw new Error(`Cannot forget connections: errno ${-code}`);
  }

  close(): void {
    close(this.#fd);
  }
}
