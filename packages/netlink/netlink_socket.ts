// A netlink socket. The kernel carries a request out inside send(2): its answer is in the receive queue before
// send returns, and a dump goes on inside recv(2).
import { type NetlinkError, systemCallError } from './errors.ts';
import type { Libc } from './libc.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 0x80003;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const MSG_DONTWAIT_TRUNC = 0x60;
const POLLIN = 1;
const ERRNO = { EINTR: 4, EAGAIN: 11, ENOBUFS: 105 } as const;
/** The kernel sends dumps in pieces of at most 32 KiB, but a single message may be longer. */
const RECEIVE_BYTES = 128 * 1024;

export type SocketOptions = {
  /** NETLINK_ROUTE is 0, NETLINK_NETFILTER 12. */
  readonly protocol?: number;
  /** Multicast groups as a bit mask: group n is bit n - 1. */
  readonly groups?: number;
  readonly receiveBufferBytes?: number;
  readonly sendBufferBytes?: number;
  /** Own number, which the kernel puts into what it tells others of our doing; 0: it chooses one. */
  readonly portId?: number;
};

/** What `receive()` found. */
export type Received =
  | { readonly kind: 'datagram'; readonly bytes: Uint8Array }
  /** Nothing is left. */
  | { readonly kind: 'empty' }
  /** The kernel dropped messages: the receive buffer was full. */
  | { readonly kind: 'overrun' };

/** What a pool thread reads at this moment must not be collected. */
const inUse = new Set<readonly Uint8Array[]>();

/** Lives in the network namespace that was current when it was made. */
export class NetlinkSocket {
  readonly #libc: Libc;
  readonly #buffer = new Uint8Array(new ArrayBuffer(RECEIVE_BYTES));
  #fd: number;

  constructor(libc: Libc, options: SocketOptions = {}) {
    this.#libc = libc;
    this.#fd = libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, options.protocol ?? 0);
    if (this.#fd < 0) throw this.#failure('open netlink socket');
    this.#configure(options);
    const address = new Uint8Array(12);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_NETLINK, true);
    view.setUint32(4, options.portId ?? 0, true);
    view.setUint32(8, options.groups ?? 0, true);
    if (libc.bind(this.#fd, address) < 0) {
      const failure = this.#failure('bind netlink socket');
      this.close();
      throw failure;
    }
  }

  /** For poll(2); -1 after `close()`. */
  get fd(): number {
    return this.#fd;
  }

  /** Hands messages to the kernel. Throws NetlinkError when it took none of them. */
  send(bytes: Uint8Array): void {
    for (;;) {
      if (this.#libc.send(this.#fd, bytes, 0) >= 0) return;
      if (this.#libc.errno() !== ERRNO.EINTR) throw this.#failure('send netlink request');
    }
  }

  /**
   * As send() for one after the other, on a thread of the pool; they must not change meanwhile.
   * @param done gets how many were taken, and why the others were not
   * @param from so many have been taken
   */
  sendLater(
    datagrams: readonly Uint8Array[],
    done: (taken: number, failure: NetlinkError | undefined) => void,
    from = 0,
  ): void {
    const rest = datagrams.slice(from);
    inUse.add(rest);
    this.#libc.sendAsync(this.#fd, rest, 0, (sent) => {
      inUse.delete(rest);
      const taken = from + Math.max(0, sent);
      if (taken === datagrams.length) return done(taken, undefined);
      // Why it has stopped in between is told when the next is the first.
      if (sent > 0 || this.#libc.errno() === ERRNO.EINTR) {
        return this.sendLater(datagrams, done, taken);
      }
      return done(taken, this.#failure('send netlink request'));
    });
  }

  /** Does not receive what another socket of this process has caused. */
  ignore(portId: number): void {
    // A refused filter only costs time.
    this.#libc.attachFilter(this.#fd, dropMessagesOf(portId));
  }

  /** Takes one datagram off the receive queue. The bytes are valid until the next call. */
  receive(): Received {
    for (;;) {
      const length = this.#libc.recv(this.#fd, this.#buffer, MSG_DONTWAIT_TRUNC);
      if (length > this.#buffer.length) return { kind: 'overrun' };
      if (length >= 0) return { kind: 'datagram', bytes: this.#buffer.subarray(0, length) };
      const errno = this.#libc.errno();
      if (errno === ERRNO.EAGAIN) return { kind: 'empty' };
      if (errno === ERRNO.ENOBUFS) return { kind: 'overrun' };
      if (errno !== ERRNO.EINTR) throw this.#failure('receive netlink answer');
    }
  }

  /** Waits for something to receive; whether it came. Blocks the thread. */
  waitUntilReadable(timeoutMs: number): boolean {
    const fds = new Uint8Array(8);
    const view = new DataView(fds.buffer);
    view.setInt32(0, this.#fd, true);
    view.setInt16(4, POLLIN, true);
    return this.#libc.poll(fds, timeoutMs) > 0;
  }

  close(): void {
    if (this.#fd >= 0) this.#libc.close(this.#fd);
    this.#fd = -1;
  }

  // Refused options only cost comfort: texts of errors, filtering in the kernel, larger buffers.
  #configure({ receiveBufferBytes, sendBufferBytes }: SocketOptions): void {
    const set = (level: number, option: number, value: number): boolean =>
      this.#libc.setsockopt(this.#fd, level, option, value) >= 0;
    if (sendBufferBytes !== undefined) set(SOL_SOCKET, SO_SNDBUFFORCE, sendBufferBytes);
    if (receiveBufferBytes !== undefined && !set(SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes)) {
      set(SOL_SOCKET, SO_RCVBUF, receiveBufferBytes);
    }
    set(SOL_NETLINK, NETLINK_CAP_ACK, 1);
    set(SOL_NETLINK, NETLINK_EXT_ACK, 1);
    set(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  }

  #failure(action: string): NetlinkError {
    return systemCallError(action, this.#libc.errno());
  }
}

const BPF = { LOAD_WORD: 0x20, JUMP_IF_EQUAL: 0x15, RETURN: 0x06 } as const;
/** nlmsg_pid in struct nlmsghdr. */
const SENDER_OFFSET = 12;
const EVERYTHING = 0xffff_ffff;

/** Classic BPF: struct sock_filter { u16 code; u8 jt, jf; u32 k }. It loads words in network order. */
function dropMessagesOf(portId: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * 8));
  const write = (index: number, code: number, skipElse: number, k: number): void => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 3, skipElse);
    view.setUint32(index * 8 + 4, k, true);
  };
  const swapped = new DataView(new ArrayBuffer(4));
  swapped.setUint32(0, portId, true);
  write(0, BPF.LOAD_WORD, 0, SENDER_OFFSET);
  write(1, BPF.JUMP_IF_EQUAL, 1, swapped.getUint32(0, false));
  write(2, BPF.RETURN, 0, 0);
  write(3, BPF.RETURN, 0, EVERYTHING);
  return new Uint8Array(view.buffer);
}
