// UDP sockets with what the runtimes' own leave out: the time to live that datagrams must have arrived with.
import type { Address, Family } from '@calico/ip';
import { type NetlinkError, systemCallError, systemLibc } from '@calico/netlink';
import { hopFilter } from './hop_filter.ts';
import { type Datagram, Inbox } from './inbox.ts';
import { ADDRESS_FAMILY, encodeSocketAddress } from './socket_address.ts';

const SOCK_DGRAM_CLOEXEC_NONBLOCK = 0x80802;
const EAGAIN = 11;
const IPPROTO: Readonly<Record<Family, number>> = { 4: 0, 6: 41 };
const HOPS: Readonly<Record<Family, number>> = { 4: 2, 6: 16 };
const TRAFFIC_CLASS: Readonly<Record<Family, number>> = { 4: 1, 6: 67 };
const IPV6_V6ONLY = 26;
/** Network control: routers serve it before other traffic. */
const CLASS_CS6 = 0xc0;

export type UdpOptions = {
  readonly family: Family;
  /** Undefined: all addresses of the family. */
  readonly address: Address | undefined;
  readonly port: number;
  /** Takes datagrams of this end only, and send() goes there. */
  readonly remote?: { readonly address: Address; readonly port: number };
  /** Index of the interface that link-local addresses are on. */
  readonly scope?: number;
  /** Time to live, or hop limit, of what is sent: 1 to 255. */
  readonly hops?: number;
  /** Datagrams that arrive with less are dropped by the kernel: 1 to 255. */
  readonly minimumHops?: number;
};

/** Lives in the network namespace that was current when it was made. Never blocks. */
export class UdpSocket {
  readonly #inbox = new Inbox();
  #fd: number;

  /** @throws NetlinkError with the code of the system call: "EADDRINUSE", "EADDRNOTAVAIL" … */
  constructor(options: UdpOptions) {
    const { family } = options;
    this.#fd = systemLibc().socket(ADDRESS_FAMILY[family], SOCK_DGRAM_CLOEXEC_NONBLOCK, 0);
    if (this.#fd < 0) throw failure('open UDP socket');
    try {
      this.#configure(options);
    } catch (cause) {
      this.close();
      throw cause;
    }
  }

  /** For Poller; -1 after close(). */
  get fd(): number {
    return this.#fd;
  }

  /** False when the kernel did not take the datagram: no route, no buffer, or nobody listens there. */
  send(bytes: Uint8Array): boolean {
    const libc = systemLibc();
    // The first attempt may only bring the error that an earlier datagram met (ICMP).
    return libc.send(this.#fd, bytes, 0) >= 0 || libc.send(this.#fd, bytes, 0) >= 0;
  }

  /** Takes one datagram off the receive queue; undefined when there is none. */
  receive(): Datagram | undefined {
    for (;;) {
      const received = this.#inbox.take(this.#fd);
      if (typeof received === 'object') return received;
      if (received === EAGAIN || this.#fd < 0) return undefined;
      // An error that an earlier datagram of ours met (ICMP); it is reported once.
      if (!isReported(received)) throw systemCallError('receive from UDP socket', received);
    }
  }

  close(): void {
    if (this.#fd >= 0) systemLibc().close(this.#fd);
    this.#fd = -1;
  }

  #configure({ family, address, port, remote, scope, hops, minimumHops }: UdpOptions): void {
    this.#set(IPPROTO[family], TRAFFIC_CLASS[family], CLASS_CS6);
    if (family === 6) this.#set(IPPROTO[6], IPV6_V6ONLY, 1);
    if (hops !== undefined) this.#set(IPPROTO[family], HOPS[family], hops);
    const libc = systemLibc();
    // Before the address: nothing may be queued that the filter has not seen.
    if (minimumHops !== undefined) {
      if (libc.attachFilter(this.#fd, hopFilter(family, minimumHops)) < 0) {
        throw failure('filter UDP socket');
      }
    }
    const local = encodeSocketAddress(address ?? { family, value: 0n }, port, scope);
    if (libc.bind(this.#fd, local) < 0) throw failure(`bind UDP port "${port}"`);
    if (remote === undefined) return;
    const far = encodeSocketAddress(remote.address, remote.port, scope);
    if (libc.connect(this.#fd, far) < 0) throw failure('connect UDP socket');
  }

  #set(level: number, option: number, value: number): void {
    if (systemLibc().setsockopt(this.#fd, level, option, value) < 0) {
      throw failure(`set option "${option}" of UDP socket`);
    }
  }
}

/** ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN. */
function isReported(errno: number): boolean {
  return errno === 111 || errno === 113 || errno === 101 || errno === 112;
}

function failure(action: string): NetlinkError {
  return systemCallError(action, systemLibc().errno());
}
