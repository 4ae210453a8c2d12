// Edge: the speaker's tables as BgpService. The only file of the service that knows RPC codes.
import { formatCommunity, formatRouterId } from '@calico/bgp-wire';
import {
  formatAddress,
  formatPrefix,
  IpError,
  type Prefix,
  parsePrefix,
  prefixContains,
} from '@calico/ip';
import { type BgpService, Table } from '@calico/proto/bgp/v1/bgp';
import { RpcError, type ServiceHandlers } from '@calico/rpc';
import type { BgpNode } from '../core/node/bgp_node.ts';
import type { Path, PathData, PathSource } from '../core/rib/path.ts';
import type { Peer } from '../core/speaker/peer.ts';
import { peerMessage } from './bus_reporter.ts';

type Handlers = ServiceHandlers<typeof BgpService>;

type Row = {
  readonly prefix: Prefix;
  readonly data: PathData;
  readonly source: PathSource | undefined;
  readonly isBest: boolean;
};

const ORIGINS = ['IGP', 'EGP', 'incomplete'];

export function createHandlers(node: BgpNode, name: string, version: string): Handlers {
  return {
    async listPeers() {
      return { peers: node.peers().map(peerMessage) };
    },

    async *listRoutes({ table, peer, prefix }) {
      const within = prefix === '' ? undefined : parseFilter(prefix);
      for (const row of rowsOf(node, table, peer)) {
        if (within === undefined || prefixContains(within, row.prefix)) yield routeMessage(row);
      }
    },

    async getSpeaker() {
      const local = node.speaker.config?.local;
      return {
        node: name,
        asn: local?.asn ?? 0,
        routerId: local === undefined ? '' : formatRouterId(local.routerId),
        version,
        appliedRevision: node.revision,
        inSync: node.isInSync,
      };
    },
  };
}

function rowsOf(node: BgpNode, table: Table, peer: string): Row[] {
  switch (table) {
    case Table.ADJ_RIB_IN:
      return receivedRows(node, findPeer(node, peer));
    case Table.ADJ_RIB_OUT:
      return Array.from(findPeer(node, peer).advertised.entries(), ({ prefix, data }) => ({
        prefix,
        data,
        source: undefined,
        isBest: true,
      }));
    case Table.UNSPECIFIED:
    case Table.LOC_RIB:
      return [...node.speaker.rib.entries()].flatMap(({ candidates, best }) =>
        candidates.map((path) => rowOf(path, path === best)),
      );
    default:
      throw new RpcError(
        'INVALID_ARGUMENT',
        `Cannot list routes of table "${String(table)}": expected loc-rib, adj-rib-in or adj-rib-out`,
      );
  }
}

function receivedRows(node: BgpNode, peer: Peer): Row[] {
  return Array.from(peer.received, (path) =>
    rowOf(path, node.speaker.rib.get(path.prefix)?.best === path),
  );
}

function rowOf({ prefix, data, source }: Path, isBest: boolean): Row {
  return { prefix, data, source, isBest };
}

function findPeer(node: BgpNode, key: string): Peer {
  const peer = node.speaker.peers.get(key);
  if (peer !== undefined) return peer;
  if (key === '') {
    throw new RpcError(
      'INVALID_ARGUMENT',
      'Cannot list routes: peer is empty, expected an address',
    );
  }
  const known = [...node.speaker.peers.keys()].map((each) => `"${each}"`).join(', ') || 'none';
  throw new RpcError('NOT_FOUND', `Cannot list routes of peer "${key}": peers are ${known}`);
}

function parseFilter(text: string): Prefix {
  try {
    return parsePrefix(text, { hostBits: 'clear' });
  } catch (cause) {
    if (!(cause instanceof IpError)) throw cause;
    throw new RpcError('INVALID_ARGUMENT', cause.message, { cause });
  }
}

function routeMessage({ prefix, data, source, isBest }: Row) {
  const { attributes, nextHop } = data;
  const { localPreference, multiExitDiscriminator } = attributes;
  return {
    prefix: formatPrefix(prefix),
    nextHop: nextHop.value === 0n ? '' : formatAddress(nextHop),
    asPath: (attributes.asPath ?? []).flatMap(({ asns }) => asns),
    ...(localPreference === undefined ? {} : { localPreference }),
    ...(multiExitDiscriminator === undefined ? {} : { multiExitDiscriminator }),
    communities: (attributes.communities ?? []).map(formatCommunity),
    learnedFrom: source?.kind === 'peer' ? formatAddress(source.address) : '',
    best: isBest,
    origin: ORIGINS[attributes.origin ?? 2] ?? 'incomplete',
  };
}
