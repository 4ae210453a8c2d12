// Multicast messages → events.
import { decodeInterfaceAddress } from './address_codec.ts';
import { decodeLink } from './link_codec.ts';
import type { MessageCursor } from './message_reader.ts';
import { decodeFdbEntry, decodeNeighbour } from './neighbour_codec.ts';
import { decodeNextHopObject } from './next_hop_object_codec.ts';
import { decodeRoute } from './route_codec.ts';
import { decodeRule } from './rule_codec.ts';
import type { MonitorEvent } from './types.ts';
import { AF, RTM } from './uapi.ts';

/** Undefined for messages that say nothing to us. Throws NetlinkDecodeError. */
export function decodeEvent(message: MessageCursor): MonitorEvent | undefined {
  switch (message.type) {
    case RTM.NEWLINK:
    case RTM.DELLINK: {
      // Bridges report their ports as links of family AF_BRIDGE, and a port that leaves as a deleted link.
      if (message.end > message.start && message.view.getUint8(message.start) !== AF.UNSPEC) {
        return undefined;
      }
      return { kind: 'link', action: action(message, RTM.NEWLINK), link: decodeLink(message) };
    }
    case RTM.NEWADDR:
    case RTM.DELADDR: {
      const address = decodeInterfaceAddress(message);
      return address && { kind: 'address', action: action(message, RTM.NEWADDR), address };
    }
    case RTM.NEWROUTE:
    case RTM.DELROUTE: {
      const route = decodeRoute(message);
      return route && { kind: 'route', action: action(message, RTM.NEWROUTE), route };
    }
    case RTM.NEWNEIGH:
    case RTM.DELNEIGH: {
      const entry = decodeFdbEntry(message);
      if (entry) return { kind: 'fdb', action: action(message, RTM.NEWNEIGH), entry };
      const neighbour = decodeNeighbour(message, message.type === RTM.DELNEIGH);
      return neighbour && { kind: 'neighbour', action: action(message, RTM.NEWNEIGH), neighbour };
    }
    case RTM.NEWRULE:
    case RTM.DELRULE: {
      const rule = decodeRule(message);
      return rule && { kind: 'rule', action: action(message, RTM.NEWRULE), rule };
    }
    case RTM.NEWNEXTHOP:
    case RTM.DELNEXTHOP: {
      const nextHop = decodeNextHopObject(message);
      return nextHop && { kind: 'nexthop', action: action(message, RTM.NEWNEXTHOP), nextHop };
    }
    default:
      return undefined;
  }
}

function action(message: MessageCursor, newType: number): 'new' | 'deleted' {
  return message.type === newType ? 'new' : 'deleted';
}
