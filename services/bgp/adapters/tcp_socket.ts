// TCP sockets with options that must be set before a connection exists, which the runtimes' own sockets
// cannot do. Linux: include/uapi/linux/{in,in6,tcp}.h
import {
  type Address,
  addressBytes,
  type Family,
  formatAddress,
  formatPrefix,
  type Prefix,
} from '@calico/ip';
import { errnoName, interfaceIndex, systemLibc } from '@calico/netlink';

const AF = { 4: 2, 6: 10 } as const;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 0o1 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_TCP = 6;
const TCP_MD5SIG_EXT = 32;
const TCP_MD5SIG_FLAG_PREFIX = 1;
const TTL = { 4: { level: 0, ttl: 2, minimum: 21 }, 6: { level: 41, ttl: 16, minimum: 73 } };
const IPV6_V6ONLY = 26;
/** IP_FREEBIND, IPV6_FREEBIND. */
const FREEBIND = { 4: 15, 6: 78 };
/** sizeof(struct sockaddr_storage). */
const STORAGE_BYTES = 128;
/** TCP_MD5SIG_MAXKEYLEN. */
export const MAXIMUM_PASSWORD_BYTES = 80;

/** A call of the kernel failed. */
export class SocketError extends Error {
  override readonly name = 'SocketError';
  /** "EADDRINUSE", "ECONNREFUSED" … */
  readonly code: string;

  constructor(action: string, code: string) {
    super(`${action}: ${code}`);
    this.code = code;
  }
}

export type TtlOptions = {
  /** What is sent starts with this TTL; undefined: the kernel's. 1 to 255. */
  readonly ttl: number | undefined;
  /** What arrives with less is dropped (RFC 5082); undefined: nothing. 1 to 255. */
  readonly minimumTtl: number | undefined;
};

/** A TCP socket before the runtime takes it over by its descriptor. All methods throw SocketError. */
export class RawTcpSocket {
  readonly fd: number;
  readonly #family: Family;

  constructor(family: Family) {
    this.#family = family;
    this.fd = systemLibc().socket(AF[family], SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
    this.#check('Cannot open a TCP socket', this.fd);
  }

  setTtl(options: TtlOptions): void {
    setTtl(this.fd, this.#family, options);
  }

  /** Segments from and to the peers carry the password's signature (RFC 2385); undefined: no longer. */
  setPassword(peers: Prefix, password: string | undefined): void {
    const result = systemLibc().setsockoptBytes(
      this.fd,
      IPPROTO_TCP,
      TCP_MD5SIG_EXT,
      md5Signature(peers, password ?? ''),
    );
    // What was not there need not be taken away.
    if (password === undefined && result < 0 && lastError() === 'ENOENT') return;
    this.#check(`Cannot set the TCP MD5 password for "${formatPrefix(peers)}"`, result);
  }

  bind(address: Address, port: number): void {
    const result = systemLibc().bind(this.fd, socketAddress(address, port));
    this.#check(`Cannot use address "${formatAddress(address)}" port "${port}"`, result);
  }

  listen(backlog: number): void {
    this.#check('Cannot listen', systemLibc().listen(this.fd, backlog));
  }

  /** To be called before bind(): a listener. */
  allowReuse(): void {
    const libc = systemLibc();
    this.#check('Cannot set SO_REUSEADDR', libc.setsockopt(this.fd, SOL_SOCKET, SO_REUSEADDR, 1));
    if (this.#family === 4) return;
    this.#check('Cannot set IPV6_V6ONLY', libc.setsockopt(this.fd, TTL[6].level, IPV6_V6ONLY, 1));
  }

  /** To be called before bind(), whose address then need not be on an interface. */
  allowAbsentAddress(): void {
    const { level } = TTL[this.#family];
    const result = systemLibc().setsockopt(this.fd, level, FREEBIND[this.#family], 1);
    this.#check('Cannot set IP_FREEBIND', result);
  }

  /** Starts to connect, or says how far it is: to be called again until it answers true. */
  connect(address: Address, port: number, interfaceName?: string): boolean {
    const scope = interfaceName === undefined ? 0 : (interfaceIndex(interfaceName) ?? 0);
    if (systemLibc().connect(this.fd, socketAddress(address, port, scope)) === 0) return true;
    const code = lastError();
    if (code === 'EISCONN') return true;
    if (code === 'EINPROGRESS' || code === 'EALREADY') return false;
    throw new SocketError(`Cannot connect to "${formatAddress(address)}"`, code);
  }

  close(): void {
    systemLibc().close(this.fd);
  }

  #check(action: string, result: number): void {
    if (result < 0) throw new SocketError(action, lastError());
  }
}

/** @throws SocketError */
export function setTtl(fd: number, family: Family, { ttl, minimumTtl }: TtlOptions): void {
  const libc = systemLibc();
  const options = TTL[family];
  for (const [option, value] of [
    [options.ttl, ttl],
    [options.minimum, minimumTtl],
  ] as const) {
    if (value === undefined) continue;
    if (libc.setsockopt(fd, options.level, option, value) < 0) {
      throw new SocketError(`Cannot set TTL "${value}"`, lastError());
    }
  }
}

function lastError(): string {
  return errnoName(systemLibc().errno());
}

/**
 * struct sockaddr_in or sockaddr_in6.
 * @param scope index of the interface that a link-local address is on
 */
function socketAddress(address: Address, port: number, scope = 0): Uint8Array {
  const bytes = new Uint8Array(address.family === 4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF[address.family], true);
  view.setUint16(2, port);
  bytes.set(addressBytes(address), address.family === 4 ? 4 : 8);
  if (address.family === 6) view.setUint32(24, scope, true);
  return bytes;
}

/** struct tcp_md5sig. */
export function md5Signature(peers: Prefix, password: string): Uint8Array {
  const bytes = new Uint8Array(STORAGE_BYTES + 8 + MAXIMUM_PASSWORD_BYTES);
  bytes.set(socketAddress(peers, 0));
  bytes[STORAGE_BYTES] = TCP_MD5SIG_FLAG_PREFIX;
  bytes[STORAGE_BYTES + 1] = peers.length;
  const { written } = new TextEncoder().encodeInto(password, bytes.subarray(STORAGE_BYTES + 8));
  new DataView(bytes.buffer).setUint16(STORAGE_BYTES + 2, written, true);
  return bytes;
}
