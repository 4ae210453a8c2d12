// The far ends of links without addresses of their own, found by router advertisements: RFC 4861.
import type { CancelTimer, Clock } from '@calico/clock';
import { type Address, formatAddress, isLinkLocal, parseAddress, sameAddress } from '@calico/ip';
import { interfaceIndex, type Netlink, NetlinkError } from '@calico/netlink';
import { Icmp6Socket, Poller } from '@calico/udp';
import { FarEnd } from '../core/links/far_end.ts';
import {
  encodeRouterMessage,
  ROUTER_TYPES,
  readRouterMessage,
} from '../core/links/router_messages.ts';
import type { LinkPort } from '../ports.ts';

const ALL_NODES = parseAddress('ff02::1');
const ALL_ROUTERS = parseAddress('ff02::2');
/** How often links are looked at: interfaces may come, and come back as others. */
const LOOK_MS = 1_000;
/** So many messages are read before others have their turn. */
const MESSAGES_AT_ONCE = 32;

type Link = {
  readonly index: number;
  readonly socket: Icmp6Socket;
  readonly farEnd: FarEnd;
  /** Link-local addresses of this end. */
  own: readonly Address[];
};

export type LinkNeighboursParts = {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly netlink: Netlink;
  /** What neighbourOn() or problems answer has changed. */
  readonly onChange: () => void;
};

export class LinkNeighbours implements LinkPort {
  readonly #parts: LinkNeighboursParts;
  /** A link that cannot be used now is its problem. */
  readonly #links = new Map<string, Link | string>();
  #poller: Poller | undefined;
  #cancelLook: CancelTimer | undefined;
  #isClosed = false;

  constructor(parts: LinkNeighboursParts) {
    this.#parts = parts;
  }

  configure(interfaces: readonly string[]): void {
    if (this.#isClosed) return;
    for (const name of this.#links.keys()) {
      if (!interfaces.includes(name)) this.#close(name);
    }
    for (const name of interfaces) if (!this.#links.has(name)) this.#links.set(name, '');
    this.#look();
  }

  neighbourOn(interfaceName: string): Address | undefined {
    const link = this.#links.get(interfaceName);
    return typeof link === 'object' ? link.farEnd.address : undefined;
  }

  get problems(): readonly string[] {
    return [...this.#links].flatMap(([name, link]) => {
      const problem = typeof link === 'object' ? link.farEnd.problem : link;
      return problem ? [`Interface "${name}" ${problem}`] : [];
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelLook?.();
    for (const name of this.#links.keys()) this.#close(name);
    await this.#poller?.close();
  }

  #look(): void {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    if (this.#links.size === 0) return;
    // Of those that are there now: each may take its place anew.
    for (const [name, link] of Array.from(this.#links)) {
      const index = interfaceIndex(name);
      if (typeof link === 'object' && link.index === index) {
        this.#lookAtOwn(link);
        continue;
      }
      this.#close(name);
      // Its absence is told where the peer is derived.
      this.#links.set(name, index === undefined ? '' : this.#open(name, index));
    }
    this.#cancelLook = this.#parts.clock.setTimer(LOOK_MS, () => this.#look());
  }

  #open(name: string, index: number): Link | string {
    try {
      const socket = new Icmp6Socket({
        interfaceName: name,
        interfaceIndex: index,
        destination: ALL_NODES,
        groups: [ALL_ROUTERS],
        types: ROUTER_TYPES,
      });
      const farEnd = this.#farEnd(name, index, socket);
      const link: Link = { index, socket, farEnd, own: [] };
      this.#poller ??= new Poller();
      this.#poller.add(socket.fd, () => this.#read(link));
      farEnd.start();
      link.own = this.#own(index);
      return link;
    } catch (cause) {
      if (!(cause instanceof NetlinkError)) throw cause;
      return `cannot be used to find a peer: ${cause.message}`;
    }
  }

  #farEnd(name: string, index: number, socket: Icmp6Socket): FarEnd {
    const { clock, random, netlink, onChange } = this.#parts;
    return new FarEnd({
      clock,
      random,
      send: (message) => {
        socket.send(encodeRouterMessage(message, netlink.linkByName(name)?.mac));
      },
      known: () => netlink.neighbours({ interfaceIndex: index }).map(({ address }) => address),
      // Not from inside of configure().
      onChange: () => void clock.setTimer(0, onChange),
    });
  }

  #read(link: Link): void {
    const { socket, farEnd } = link;
    let isLookedAt = false;
    for (let count = 0; count < MESSAGES_AT_ONCE; count++) {
      const datagram = socket.receive();
      if (datagram === undefined) return;
      const message = readRouterMessage(datagram.bytes);
      if (message === undefined) continue;
      const { from } = datagram;
      const isKnown = [...link.own, farEnd.address].some((each) => isSame(each, from));
      // This end may have another address since the last look; the kernel is not asked for every message of a flood.
      if (!isKnown && !isLookedAt) this.#lookAtOwn(link);
      isLookedAt ||= !isKnown;
      // Another program of this node may advertise it as well.
      if (!link.own.some((each) => isSame(each, from))) farEnd.heard(message, from);
    }
  }

  #lookAtOwn(link: Link): void {
    const own = this.#own(link.index);
    if (own.map(formatAddress).join() !== link.own.map(formatAddress).join()) {
      link.farEnd.announce();
    }
    link.own = own;
  }

  #own(index: number): Address[] {
    const all = this.#parts.netlink.addresses({ family: 6, interfaceIndex: index });
    return all.map(({ address }) => address).filter(isLinkLocal);
  }

  #close(name: string): void {
    const link = this.#links.get(name);
    this.#links.delete(name);
    if (typeof link !== 'object') return;
    link.farEnd.stop();
    this.#poller?.remove(link.socket.fd);
    link.socket.close();
  }
}

function isSame(a: Address | undefined, b: Address): boolean {
  return a !== undefined && sameAddress(a, b);
}
