// UDP as BFD wants it: RFC 5881 section 4 and 5, RFC 5883 section 4 and 5.
import { BfdPort } from '@calico/bfd-wire';
import type { Address, Family } from '@calico/ip';
import { NetlinkError } from '@calico/netlink';
import { Poller, UdpSocket } from '@calico/udp';
import type { BfdChannel } from '../core/bfd/engine.ts';
import type { BfdTarget } from '../core/bfd/types.ts';

const FIRST_SOURCE_PORT = 49_152;
const SOURCE_PORTS = 65_536 - FIRST_SOURCE_PORT;
const ATTEMPTS = 100;
/** What has been routed once arrives with less. */
const HOPS = 255;
/** So many packets are read before timers and other sockets have their turn. */
const PACKETS_AT_ONCE = 256;

type Receive = (
  from: Address,
  isMultihop: boolean,
  bytes: Uint8Array,
  interfaceIndex: number,
) => void;

type Listening = { readonly socket: UdpSocket; readonly read: () => void; users: number };

export class BfdSockets {
  readonly #poller = new Poller();
  readonly #listening = new Map<string, Listening>();
  readonly #receive: Receive;
  readonly #random: () => number;

  constructor(receive: Receive, random: () => number) {
    this.#receive = receive;
    this.#random = random;
  }

  /** @throws NetlinkError */
  open(target: BfdTarget): BfdChannel {
    const { isMultihop } = target.settings;
    const { family } = target.address;
    const leave = this.#listen(family, isMultihop);
    try {
      const socket = this.#sender(target);
      return {
        send: (bytes) => void socket.send(bytes),
        close: () => {
          socket.close();
          leave();
        },
      };
    } catch (cause) {
      leave();
      throw cause;
    }
  }

  /** Reads what has arrived, as far as that takes no long time. */
  drain(): void {
    for (const { read } of this.#listening.values()) read();
  }

  /** After the last channel. */
  close(): Promise<void> {
    return this.#poller.close();
  }

  /** One socket for all sessions of a kind, as long as there is one. */
  #listen(family: Family, isMultihop: boolean): () => void {
    const key = `${family} ${isMultihop}`;
    const listening = this.#listening.get(key) ?? this.#startListening(key, family, isMultihop);
    listening.users += 1;
    return () => {
      listening.users -= 1;
      if (listening.users > 0) return;
      this.#listening.delete(key);
      this.#poller.remove(listening.socket.fd);
      listening.socket.close();
    };
  }

  #startListening(key: string, family: Family, isMultihop: boolean): Listening {
    const port = portOf(isMultihop);
    const limit = isMultihop ? {} : { minimumHops: HOPS };
    const socket = new UdpSocket({ family, address: undefined, port, ...limit });
    const read = (): void => {
      for (let count = 0; count < PACKETS_AT_ONCE; count++) {
        const datagram = socket.receive();
        if (datagram === undefined) return;
        this.#receive(datagram.from, isMultihop, datagram.bytes, datagram.scope);
      }
    };
    const listening = { socket, read, users: 0 };
    this.#listening.set(key, listening);
    this.#poller.add(socket.fd, read);
    return listening;
  }

  /** Every session has a source port of its own. */
  #sender({ address, sourceAddress, link, settings }: BfdTarget): UdpSocket {
    const remote = { address, port: portOf(settings.isMultihop) };
    const scope = link?.interfaceIndex ?? 0;
    const to = { family: address.family, address: sourceAddress, remote, scope, hops: HOPS };
    let offset = Math.floor(this.#random() * SOURCE_PORTS);
    for (let attempt = 1; ; attempt++) {
      const port = FIRST_SOURCE_PORT + (offset % SOURCE_PORTS);
      try {
        return new UdpSocket({ ...to, port });
      } catch (cause) {
        const isTaken = cause instanceof NetlinkError && cause.code === 'EADDRINUSE';
        if (!isTaken || attempt === ATTEMPTS) throw cause;
        offset += 1;
      }
    }
  }
}

function portOf(isMultihop: boolean): number {
  return isMultihop ? BfdPort.Multihop : BfdPort.SingleHop;
}
