// One Request → one message.
import { writeInterfaceAddress } from './address_codec.ts';
import { writeLinkChanges, writeLinkHeader, writeNewLink } from './link_codec.ts';
import type { MessageWriter } from './message_writer.ts';
import {
  isMulticastFdb,
  writeFdbEntry,
  writeNeighbour,
  writeProxyArpDelay,
} from './neighbour_codec.ts';
import { writeNextHopId, writeNextHopObject } from './next_hop_object_codec.ts';
import { writeRoute } from './route_codec.ts';
import { writeRule } from './rule_codec.ts';
import type { Request } from './types.ts';
import { NLM_F, RTM } from './uapi.ts';

const ACTION_FLAGS = {
  add: NLM_F.REQUEST | NLM_F.CREATE | NLM_F.EXCL,
  replace: NLM_F.REQUEST | NLM_F.CREATE | NLM_F.REPLACE,
  append: NLM_F.REQUEST | NLM_F.CREATE | NLM_F.APPEND,
  delete: NLM_F.REQUEST,
} as const;

/** Appends the message of `request`. Throws RangeError for a MAC that is none. */
export function writeRequest(writer: MessageWriter, request: Request, sequence: number): void {
  const begin = (type: number, action: keyof typeof ACTION_FLAGS): void => {
    writer.begin(type, ACTION_FLAGS[action], sequence);
  };
  switch (request.kind) {
    case 'route':
      begin(request.action === 'delete' ? RTM.DELROUTE : RTM.NEWROUTE, request.action);
      writeRoute(writer, request.route);
      break;
    case 'nexthop-add':
      begin(RTM.NEWNEXTHOP, 'add');
      writeNextHopObject(writer, request.nextHop);
      break;
    case 'nexthop-delete':
      begin(RTM.DELNEXTHOP, 'delete');
      writeNextHopId(writer, request.id);
      break;
    case 'address':
      begin(request.action === 'delete' ? RTM.DELADDR : RTM.NEWADDR, request.action);
      writeInterfaceAddress(writer, request.address);
      break;
    case 'neighbour':
      begin(request.action === 'delete' ? RTM.DELNEIGH : RTM.NEWNEIGH, request.action);
      writeNeighbour(writer, request.neighbour);
      break;
    case 'fdb':
      if (request.action === 'delete') begin(RTM.DELNEIGH, 'delete');
      else begin(RTM.NEWNEIGH, isMulticastFdb(request.entry) ? 'append' : 'replace');
      writeFdbEntry(writer, request.entry);
      break;
    case 'rule':
      begin(request.action === 'delete' ? RTM.DELRULE : RTM.NEWRULE, request.action);
      writeRule(writer, request.rule);
      break;
    case 'link-add':
      begin(RTM.NEWLINK, 'add');
      writeNewLink(writer, request.link);
      break;
    case 'link-set':
      writer.begin(RTM.SETLINK, NLM_F.REQUEST, sequence);
      writeLinkChanges(writer, request.index, request.changes);
      break;
    case 'link-delete':
      begin(RTM.DELLINK, 'delete');
      writeLinkHeader(writer, request.index);
      break;
    case 'proxy-arp-delay':
      writer.begin(RTM.SETNEIGHTBL, NLM_F.REQUEST, sequence);
      writeProxyArpDelay(writer, request.interfaceIndex, request.delayMs);
      break;
    default:
      request satisfies never;
  }
  writer.end();
}
