// rtnetlink of one network namespace.
import type { Address, Family } from '@calico/ip';
import { decodeInterfaceAddress, writeAddressFilter } from './address_codec.ts';
import { NetlinkError } from './errors.ts';
import { Exchange } from './exchange.ts';
import type { Libc } from './libc.ts';
import { decodeLink, writeLinkHeader } from './link_codec.ts';
import { decodeFdbEntry, decodeNeighbour, writeNeighbourFilter } from './neighbour_codec.ts';
import { NetlinkSocket } from './netlink_socket.ts';
import { decodeNextHopObject, writeNextHopFilter } from './next_hop_object_codec.ts';
import { writeRequest } from './request_codec.ts';
import { decodeRoute, routePasses, writeRouteFilter, writeRouteLookup } from './route_codec.ts';
import { decodeRule, writeRuleFilter } from './rule_codec.ts';
import type {
  FdbEntry,
  InterfaceAddress,
  Link,
  Neighbour,
  Netlink,
  NextHopObject,
  Request,
  RequestFailure,
  Route,
  RouteFilter,
  Rule,
} from './types.ts';
import { AF, IFLA, RTEXT_FILTER_SKIP_STATS, RTM } from './uapi.ts';

const MAXIMUM_NAME_BYTES = 15;
const BUFFER_BYTES = 4 * 1024 * 1024;
/** The dump names a table or device that does not exist: nothing is in it. */
const NOTHING_THERE = new Set(['ENOENT', 'ENODEV', 'ENXIO']);
/** The kernel's answers to "which route" when there is none, or one that says no. */
const NO_ROUTE = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL', 'EAGAIN', 'ENETDOWN']);

export class RtNetlink implements Netlink {
  readonly #socket: NetlinkSocket;
  readonly #exchange: Exchange;

  constructor(libc: Libc) {
    this.#socket = new NetlinkSocket(libc, {
      receiveBufferBytes: BUFFER_BYTES,
      sendBufferBytes: BUFFER_BYTES,
    });
    this.#exchange = new Exchange(this.#socket);
  }

  links(): Link[] {
    return this.#exchange.dump(
      'links',
      RTM.GETLINK,
      (writer) => {
        writeLinkHeader(writer, 0);
        writer.attributeU32(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS);
      },
      (message) => (message.type === RTM.NEWLINK ? decodeLink(message) : undefined),
    );
  }

  linkByName(name: string): Link | undefined {
    if (name === '' || new TextEncoder().encode(name).length > MAXIMUM_NAME_BYTES) return undefined;
    return this.#link(`link "${name}"`, 0, name);
  }

  linkByIndex(index: number): Link | undefined {
    return index > 0 ? this.#link(`link ${index}`, index, undefined) : undefined;
  }

  addresses(filter: Parameters<Netlink['addresses']>[0] = {}): InterfaceAddress[] {
    const { family, interfaceIndex } = filter;
    return this.#dumpOrNothing(
      'addresses',
      RTM.GETADDR,
      (writer) => writeAddressFilter(writer, addressFamily(family), interfaceIndex ?? 0),
      (message) => {
        if (message.type !== RTM.NEWADDR) return undefined;
        const found = decodeInterfaceAddress(message);
        if (found === undefined || (family && found.address.family !== family)) return undefined;
        const isElsewhere = interfaceIndex !== undefined && found.interfaceIndex !== interfaceIndex;
        return isElsewhere ? undefined : found;
      },
    );
  }

  routes(filter: RouteFilter): Route[] {
    return this.#dumpOrNothing(
      'routes',
      RTM.GETROUTE,
      (writer) => writeRouteFilter(writer, filter),
      (message) => {
        const route = message.type === RTM.NEWROUTE ? decodeRoute(message) : undefined;
        return route && routePasses(route, filter) ? route : undefined;
      },
    );
  }

  nextHopObjects(): NextHopObject[] {
    return this.#exchange.dump('nexthop objects', RTM.GETNEXTHOP, writeNextHopFilter, (message) =>
      message.type === RTM.NEWNEXTHOP ? decodeNextHopObject(message) : undefined,
    );
  }

  routeTo(destination: Address): Route | undefined {
    return this.#lookUp(destination, false);
  }

  entryFor(destination: Address): Route | undefined {
    return this.#lookUp(destination, true);
  }

  #lookUp(destination: Address, isEntry: boolean): Route | undefined {
    try {
      return this.#exchange.get(
        'route',
        RTM.GETROUTE,
        (writer) => writeRouteLookup(writer, destination, isEntry),
        (message) =>
          message.type === RTM.NEWROUTE ? decodeRoute(message, { cloned: true }) : undefined,
      );
    } catch (error) {
      return undefinedWhen(error, NO_ROUTE);
    }
  }

  neighbours(filter: Parameters<Netlink['neighbours']>[0] = {}): Neighbour[] {
    const { interfaceIndex } = filter;
    return this.#dumpOrNothing(
      'neighbours',
      RTM.GETNEIGH,
      (writer) => writeNeighbourFilter(writer, AF.UNSPEC, interfaceIndex ?? 0),
      (message) => {
        const found = message.type === RTM.NEWNEIGH ? decodeNeighbour(message) : undefined;
        const isElsewhere =
          interfaceIndex !== undefined && found?.interfaceIndex !== interfaceIndex;
        return isElsewhere ? undefined : found;
      },
    );
  }

  fdb(interfaceIndex: number): FdbEntry[] {
    return this.#dumpOrNothing(
      'forwarding entries',
      RTM.GETNEIGH,
      (writer) => writeNeighbourFilter(writer, AF.BRIDGE, interfaceIndex),
      (message) => {
        const found = message.type === RTM.NEWNEIGH ? decodeFdbEntry(message) : undefined;
        return found?.interfaceIndex === interfaceIndex ? found : undefined;
      },
    );
  }

  rules(family: Family): Rule[] {
    return this.#exchange.dump(
      'rules',
      RTM.GETRULE,
      (writer) => writeRuleFilter(writer, family),
      (message) => {
        const rule = message.type === RTM.NEWRULE ? decodeRule(message) : undefined;
        return rule?.family === family ? rule : undefined;
      },
    );
  }

  execute(requests: readonly Request[]): RequestFailure[] {
    return this.#exchange.batch(requests.length, (writer, index, sequence) => {
      const request = requests[index];
      if (request) writeRequest(writer, request, sequence);
    });
  }

  close(): void {
    this.#socket.close();
  }

  #link(what: string, index: number, name: string | undefined): Link | undefined {
    try {
      return this.#exchange.get(
        what,
        RTM.GETLINK,
        (writer) => {
          writeLinkHeader(writer, index);
          writer.attributeU32(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS);
          if (name !== undefined) writer.attributeString(IFLA.IFNAME, name);
        },
        (message) => (message.type === RTM.NEWLINK ? decodeLink(message) : undefined),
      );
    } catch (error) {
      return undefinedWhen(error, NOTHING_THERE);
    }
  }

  #dumpOrNothing<T>(...dump: Parameters<typeof Exchange.prototype.dump<T>>): T[] {
    try {
      return this.#exchange.dump<T>(...dump);
    } catch (error) {
      return undefinedWhen(error, NOTHING_THERE) ?? [];
    }
  }
}

function undefinedWhen(error: unknown, codes: ReadonlySet<string>): undefined {
  if (error instanceof NetlinkError && codes.has(error.code)) return undefined;
  throw error;
}

function addressFamily(family: Family | undefined): number {
  if (family === undefined) return AF.UNSPEC;
  return family === 4 ? AF.INET : AF.INET6;
}
