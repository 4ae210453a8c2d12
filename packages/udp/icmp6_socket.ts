// ICMPv6 messages between the two ends of one link, as neighbour discovery has them: RFC 4861.
// Linux: include/uapi/linux/{in6,icmpv6}.h
import { type Address, addressBytes } from '@calico/ip';
import { type NetlinkError, systemCallError, systemLibc } from '@calico/netlink';
import { hopFilter } from './hop_filter.ts';
import { type Datagram, Inbox } from './inbox.ts';
import { ADDRESS_FAMILY, encodeSocketAddress } from './socket_address.ts';

const SOCK_RAW_CLOEXEC_NONBLOCK = 0x80803;
const IPPROTO_IPV6 = 41;
const IPPROTO_ICMPV6 = 58;
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const IPV6_MULTICAST_HOPS = 18;
const IPV6_MULTICAST_LOOP = 19;
const IPV6_JOIN_GROUP = 20;
const ICMPV6_FILTER = 1;
const MESSAGE_TYPES = 256;
const EAGAIN = 11;
/** RFC 4861: what is valid comes from the link, and only there a message still has that many. */
const HOPS = 255;

/** Family AF_UNSPEC: what connect() takes for the end of a connection. */
const NOWHERE = new Uint8Array(16);

export type Icmp6Options = {
  readonly interfaceName: string;
  readonly interfaceIndex: number;
  /** Where send() goes to, on the link. */
  readonly destination: Address;
  /** Groups whose messages are taken in besides those to this node and to all nodes. */
  readonly groups: readonly Address[];
  /** What receive() takes in, 0 to 255. */
  readonly types: readonly number[];
};

/**
 * Hears and speaks on one link only. The kernel drops what has come from farther away, what has a wrong
 * checksum and what is of other types. Never blocks. Needs CAP_NET_RAW.
 */
export class Icmp6Socket {
  readonly #inbox = new Inbox();
  /** One that is connected would hear nobody but a group. */
  #sender = -1;
  readonly #destination: Uint8Array;
  #receiver = -1;

  /** @throws NetlinkError with the code of the system call: "EPERM", "ENODEV" … */
  constructor(options: Icmp6Options) {
    this.#destination = encodeSocketAddress(options.destination, 0, options.interfaceIndex);
    const device = new TextEncoder().encode(`${options.interfaceName}\0`);
    try {
      this.#receiver = open();
      this.#sender = open();
      for (const fd of [this.#receiver, this.#sender]) {
        setBytes(fd, SOL_SOCKET, SO_BINDTODEVICE, device);
      }
      // Before the group is joined: nothing may be queued that the filters have not seen.
      setBytes(this.#receiver, IPPROTO_ICMPV6, ICMPV6_FILTER, typeFilter(options.types));
      if (systemLibc().attachFilter(this.#receiver, hopFilter(6, HOPS)) < 0) {
        throw failure('filter ICMPv6 socket');
      }
      for (const group of options.groups) {
        setBytes(this.#receiver, IPPROTO_IPV6, IPV6_JOIN_GROUP, membership(group, options));
      }
      setBytes(this.#sender, IPPROTO_ICMPV6, ICMPV6_FILTER, typeFilter([]));
      setBytes(this.#sender, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, integer(HOPS));
      setBytes(this.#sender, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, integer(0));
    } catch (cause) {
      this.close();
      throw cause;
    }
  }

  /** For Poller; -1 after close(). */
  get fd(): number {
    return this.#receiver;
  }

  /**
   * From the link-local address that the interface has now; the kernel adds the checksum. False when it did
   * not take the message: the interface is down, or has no address that may be used yet.
   */
  send(bytes: Uint8Array): boolean {
    if (this.#receiver < 0) return false;
    const libc = systemLibc();
    // A connected socket keeps the source address that it was connected from, also when it is gone.
    libc.connect(this.#sender, NOWHERE);
    const isConnected = libc.connect(this.#sender, this.#destination) >= 0;
    return isConnected && libc.send(this.#sender, bytes, 0) >= 0;
  }

  /** Takes one message off the receive queue, from its type on; undefined when there is none. */
  receive(): Datagram | undefined {
    const received = this.#inbox.take(this.#receiver);
    if (typeof received === 'object') return received;
    if (received === EAGAIN || this.#receiver < 0 || isGone(received)) return undefined;
    throw systemCallError('receive from ICMPv6 socket', received);
  }

  close(): void {
    for (const fd of [this.#receiver, this.#sender]) if (fd >= 0) systemLibc().close(fd);
    [this.#receiver, this.#sender] = [-1, -1];
  }
}

function open(): number {
  const fd = systemLibc().socket(ADDRESS_FAMILY[6], SOCK_RAW_CLOEXEC_NONBLOCK, IPPROTO_ICMPV6);
  if (fd < 0) throw failure('open ICMPv6 socket');
  return fd;
}

function setBytes(fd: number, level: number, option: number, value: Uint8Array): void {
  if (systemLibc().setsockoptBytes(fd, level, option, value) < 0) {
    throw failure(`set option "${option}" of ICMPv6 socket`);
  }
}

function integer(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

/** struct icmp6_filter: a bit per type that is held back. */
function typeFilter(types: readonly number[]): Uint8Array {
  const words = new Uint32Array(MESSAGE_TYPES / 32).fill(0xffff_ffff);
  for (const type of types) words[type >> 5] = (words[type >> 5] ?? 0) & ~(1 << (type & 31));
  return new Uint8Array(words.buffer);
}

/** struct ipv6_mreq. */
function membership(group: Address, { interfaceIndex }: Icmp6Options): Uint8Array {
  const bytes = new Uint8Array(20);
  bytes.set(addressBytes(group));
  new DataView(bytes.buffer).setUint32(16, interfaceIndex, true);
  return bytes;
}

/** ENETDOWN, ENODEV: the interface has been taken down or away. */
function isGone(errno: number): boolean {
  return errno === 100 || errno === 19;
}

function failure(action: string): NetlinkError {
  return systemCallError(action, systemLibc().errno());
}
