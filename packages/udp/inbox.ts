// What sockets of both kinds have in common: taking datagrams off the receive queue.
import type { Address } from '@calico/ip';
import { systemLibc } from '@calico/netlink';
import { decodeScope, decodeSocketAddress, MAX_SOCKET_ADDRESS } from './socket_address.ts';

const MSG_DONTWAIT = 0x40;
const EINTR = 4;
const MAX_DATAGRAM = 1_500;

/** Valid until the next call of receive(). */
export type Datagram = {
  readonly from: Address;
  /** Index of the interface that a link-local sender is on; 0 for other senders. */
  readonly scope: number;
  readonly bytes: Uint8Array;
};

/** Room for one datagram of up to 1500 bytes; what is longer is cut off. */
export class Inbox {
  readonly #buffer = new Uint8Array(MAX_DATAGRAM);
  readonly #from = new Uint8Array(MAX_SOCKET_ADDRESS);

  /** Takes one datagram off the socket's queue; otherwise the errno that says why not: EAGAIN when it is empty. */
  take(fd: number): Datagram | number {
    const libc = systemLibc();
    for (;;) {
      const length = libc.recvFrom(fd, this.#buffer, MSG_DONTWAIT, this.#from);
      if (length >= 0) {
        const bytes = this.#buffer.subarray(0, length);
        return { from: decodeSocketAddress(this.#from), scope: decodeScope(this.#from), bytes };
      }
      const errno = libc.errno();
      if (errno !== EINTR) return errno;
    }
  }
}
