// Connection tracking of one network namespace (ctnetlink).
import { type Address, sameAddress } from '@calico/ip';
import {
  CONNECTION_ENDS,
  CONNTRACK_MESSAGE,
  type Connection,
  type ConnectionChange,
  decodeConnection,
  writeConnectionChange,
  writeForget,
  writeHeader,
} from './conntrack_codec.ts';
import { type BatchFailure, Exchange } from './exchange.ts';
import { systemLibc } from './koffi_libc.ts';
import type { Libc } from './libc.ts';
import { NetlinkSocket } from './netlink_socket.ts';
import { withNetns } from './netns.ts';
import { NLM_F } from './uapi.ts';

const NETLINK_NETFILTER = 12;
const BUFFER_BYTES = 8 * 1024 * 1024;
/** Gone already, which is what was wanted. */
const GONE = 'ENOENT';

export interface Conntrack {
  /** Every tracked connection. Throws NetlinkError. */
  list(): Connection[];
  /** Carries out what it can; an entry that is gone is no failure. `index` is that of the change. */
  change(changes: readonly ConnectionChange[]): BatchFailure[];
  /** Deletes every entry with the address at any of its ends. Throws NetlinkError. */
  forget(address: Address): void;
  close(): void;
}

/** Of the namespace this process is in, or of the one at `netns`. Throws NetlinkError. */
export function openConntrack(netns?: string): Conntrack {
  return netns === undefined ? openHere() : withNetns(netns, openHere);
}

function openHere(): Conntrack {
  return new CtNetlink(systemLibc());
}

export class CtNetlink implements Conntrack {
  readonly #socket: NetlinkSocket;
  readonly #exchange: Exchange;

  constructor(libc: Libc) {
    this.#socket = new NetlinkSocket(libc, {
      protocol: NETLINK_NETFILTER,
      receiveBufferBytes: BUFFER_BYTES,
      sendBufferBytes: BUFFER_BYTES,
    });
    this.#exchange = new Exchange(this.#socket);
  }

  list(): Connection[] {
    return this.#exchange.dump(
      'connections',
      CONNTRACK_MESSAGE.GET,
      (writer) => writeHeader(writer, undefined),
      (message) => (message.type === CONNTRACK_MESSAGE.NEW ? decodeConnection(message) : undefined),
    );
  }

  change(changes: readonly ConnectionChange[]): BatchFailure[] {
    const failures = this.#exchange.batch(changes.length, (writer, index, sequence) => {
      const change = changes[index];
      if (change) writeConnectionChange(writer, change, NLM_F.REQUEST, sequence);
    });
    return failures.filter(({ code }) => code !== GONE);
  }

  /** One message per end, carried out by the kernel; where it cannot, entry by entry. */
  forget(address: Address): void {
    const failures = this.#exchange.batch(CONNECTION_ENDS.length, (writer, index, sequence) => {
      const end = CONNECTION_ENDS[index];
      if (end) writeForget(writer, address, end, NLM_F.REQUEST, sequence);
    });
    if (failures.every(({ code }) => code === GONE)) return;
    const connections = this.list().filter(({ original, reply }) =>
      [original, reply].some(
        ({ source, destination }) =>
          sameAddress(source, address) || sameAddress(destination, address),
      ),
    );
    this.change(connections.map((connection) => ({ kind: 'delete', connection })));
  }

  close(): void {
    this.#socket.close();
  }
}
