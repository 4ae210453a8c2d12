// Edge: the speaker's tables as BgpService. The only file of the service that knows RPC codes.
import {
  formatAsPath,
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  formatRouterId,
} from '@calico/bgp-wire';
import {
  firstAddress,
  formatAddress,
  formatPrefix,
  IpError,
  type Prefix,
  parsePrefix,
} from '@calico/ip';
import { BgpService, PathVerdict, ResetKind, Table } from '@calico/proto/bgp/v1/bgp';
import { RpcError, type Served, type ServiceHandlers } from '@calico/rpc';
import { type ExplainedPath, explain, isKnown, longestMatch } from '../core/explain/explain.ts';
import type { BgpNode } from '../core/node/bgp_node.ts';
import { isSingle } from '../core/services/service_rules.ts';
import { reflectorOf } from '../core/speaker/config.ts';
import { dumpTable } from '../core/speaker/mrt_dump.ts';
import type { Peer } from '../core/speaker/peer.ts';
import type { PeerStatus } from '../ports.ts';
import { peerMessage } from './bus_reporter.ts';
import { countsMessage } from './counts_message.ts';
import { checkClient, prefixesOf, routesFor } from './grpc_injection.ts';
import { watchPeers } from './peer_watch.ts';
import { few } from './problems.ts';
import { inTurns, lookUp, pageOf, rowsOf } from './route_pages.ts';
import {
  locRib,
  type RouteTable,
  type Row,
  received,
  receivedBeforePolicy,
  told,
} from './route_tables.ts';

type Handlers = ServiceHandlers<typeof BgpService>;

const ORIGINS = ['IGP', 'EGP', 'incomplete'];

/** For ServiceContext.serve(). */
export function bgpService(
  node: BgpNode,
  name: string,
  version: string,
): Served<typeof BgpService> {
  return [BgpService, createHandlers(node, name, version)];
}

export function createHandlers(node: BgpNode, name: string, version: string): Handlers {
  const countsOf = ({ key }: PeerStatus) => {
    const counts = node.operator.messages.of(key);
    return counts && countsMessage(counts);
  };
  /** Calls of holdRoutes() per client: of one that has connected anew the old one may still be there. */
  const holds = new Map<string, number>();
  return {
    async listPeers() {
      return { peers: node.peers().map((peer) => ({ ...peerMessage(peer), ...countsOf(peer) })) };
    },

    async *watchPeers({ peer }, { signal }) {
      const only = peer === '' ? undefined : findPeer(node, peer, 'watch').config.key;
      for await (const { changed, removed } of watchPeers(node, signal)) {
        const isMeant = (key: string): boolean => only === undefined || key === only;
        const peers = changed.filter(({ key }) => isMeant(key));
        const gone = removed.filter(isMeant);
        if (peers.length + gone.length > 0 || only === undefined) {
          yield { peers: peers.map(peerMessage), removed: gone };
        }
      }
    },

    async resetPeer({ peer: key, kind, communication }) {
      const peer = findPeer(node, key, 'reset');
      switch (kind) {
        case ResetKind.HARD:
          checkCommunication(communication);
          node.operator.reset(peer.config.key, communication);
          return {};
        case ResetKind.SOFT_IN:
        case ResetKind.SOFT_OUT:
          checkSoftReset(peer, kind);
          node.operator.refresh(peer.config.key, kind === ResetKind.SOFT_IN ? 'in' : 'out');
          return {};
        default:
          throw new RpcError(
            'INVALID_ARGUMENT',
            `Cannot reset peer "${key}": kind is "${kind}", expected hard, soft in or soft out`,
          );
      }
    },

    async *listRoutes({ table, peer, prefix, lookup, limit, pageToken }, { signal }) {
      if (prefix !== '' && lookup !== '') {
        throw new RpcError(
          'INVALID_ARGUMENT',
          `Cannot list routes: lookup is "${lookup}", expected none together with prefix`,
        );
      }
      const found = tableOf(node, table, peer);
      const { prefixes } = node.speaker.rib;
      if (lookup !== '') {
        const rows = lookUp(prefixes, found, firstAddress(parseFilter(lookup)));
        for (const row of rows) yield routeMessage(row);
        return;
      }
      const limits = {
        within: prefix === '' ? undefined : parseFilter(prefix),
        after: pageToken === '' ? undefined : parseFilter(pageToken),
      };
      const goesOn = inTurns(node.turns, signal);
      if (limit === 0) {
        // Not sorted: who wants so many at a time does that, and no turn of this event loop.
        for await (const row of rowsOf(prefixes, found, limits, goesOn)) yield routeMessage(row);
        return;
      }
      const page = await pageOf(prefixes, found, limits, limit, goesOn);
      for (const [index, row] of page.rows.entries()) {
        const message = routeMessage(row);
        const isEnd = index === page.rows.length - 1 && !page.isLast;
        yield isEnd ? { ...message, nextPageToken: message.prefix } : message;
      }
    },

    async injectRoutes(request) {
      const client = checkClient(request.client);
      let leftOut = 0;
      const routes = routesFor(request, node.speaker, () => {
        leftOut += 1;
      });
      return { held: await node.operator.inject(client, routes), leftOut };
    },

    async withdrawRoutes({ client, prefixes }) {
      checkClient(client);
      const asked = prefixes.length === 0 ? undefined : prefixesOf(prefixes);
      return { withdrawn: await node.operator.takeBack(client, asked) };
    },

    async *holdRoutes({ client }, { signal }) {
      checkClient(client);
      const { mostClients } = node.speaker.injected;
      if (!holds.has(client) && holds.size >= mostClients) {
        throw new RpcError(
          'RESOURCE_EXHAUSTED',
          `Cannot hold routes for client "${client}": ${mostClients} others do`,
        );
      }
      holds.set(client, (holds.get(client) ?? 0) + 1);
      try {
        // The caller knows by it that its routes are tied to the call.
        yield {};
        await ended(signal);
      } finally {
        const others = (holds.get(client) ?? 0) - 1;
        if (others > 0) {
          holds.set(client, others);
        } else {
          holds.delete(client);
          await node.operator.takeBack(client, undefined);
        }
      }
    },

    async explain({ prefix: text, peer }) {
      const { speaker } = node;
      const only = peer === '' ? undefined : findPeer(node, peer, 'explain what concerns');
      const asked = parseFilter(text);
      const services = isSingle(asked) ? node.services.explain(firstAddress(asked)) : [];
      const prefix = findPrefix(node, text);
      if (prefix === undefined) return { services };
      const { paths, exports } = explain(speaker, prefix, only);
      return {
        prefix: formatPrefix(prefix),
        paths: paths.map(pathMessage),
        exports: exports.map(({ peer: key, data, reason }) => ({
          peer: key,
          exported: data !== undefined,
          reason,
          ...(data === undefined
            ? {}
            : { route: routeMessage({ prefix, data, source: undefined, isBest: true }) }),
        })),
        kernel: node.kernelTextOf(prefix),
        services,
      };
    },

    async *dumpTable(_, { signal }) {
      const goesOn = inTurns(node.turns, signal);
      for (const mrt of dumpTable(node.speaker, Date.now())) {
        yield { mrt };
        if (!(await goesOn())) return;
      }
    },

    async getSpeaker() {
      const { config } = node.speaker;
      const local = config?.local;
      return {
        node: name,
        asn: local?.asn ?? 0,
        routerId: local === undefined ? '' : formatRouterId(local.routerId),
        version,
        appliedRevision: node.revision,
        inSync: node.isInSync,
        ready: node.isReady,
        problems: [...few([...node.messages, ...node.recent])],
        ...(local?.clusterId === undefined
          ? {}
          : { clusterId: formatRouterId(local.clusterId), reflector: reflectorOf(config) ?? '' }),
      };
    },
  };
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

const MAX_COMMUNICATION_BYTES = 255;

function checkCommunication(text: string): void {
  const { length } = new TextEncoder().encode(text);
  if (length <= MAX_COMMUNICATION_BYTES) return;
  throw new RpcError(
    'INVALID_ARGUMENT',
    `Cannot reset: communication has "${length}" bytes, expected at most ${MAX_COMMUNICATION_BYTES}`,
  );
}

function checkSoftReset({ live, config }: Peer, kind: ResetKind): void {
  const action = `Cannot reset peer "${config.key}" softly`;
  if (live === undefined) {
    throw new RpcError('FAILED_PRECONDITION', `${action}: its session is not established`);
  }
  if (kind === ResetKind.SOFT_IN && !live.negotiated.canRefresh) {
    throw new RpcError('FAILED_PRECONDITION', `${action}: it does not know route refresh`);
  }
}

function tableOf(node: BgpNode, table: Table, peer: string): RouteTable {
  const { rib } = node.speaker;
  switch (table) {
    case Table.ADJ_RIB_IN:
      return received(rib, findPeer(node, peer, LIST));
    case Table.ADJ_RIB_IN_BEFORE_POLICY:
      return receivedBeforePolicy(rib, findPeer(node, peer, LIST));
    case Table.ADJ_RIB_OUT:
      return told(rib, findPeer(node, peer, LIST));
    case Table.UNSPECIFIED:
    case Table.LOC_RIB:
      return locRib(rib);
    default:
      throw new RpcError(
        'INVALID_ARGUMENT',
        `Cannot list routes of table "${String(table)}": expected loc-rib, adj-rib-in (before or after policy) or adj-rib-out`,
      );
  }
}

const VERDICTS: Readonly<Record<ExplainedPath['verdict'], PathVerdict>> = {
  best: PathVerdict.BEST,
  equal: PathVerdict.EQUAL,
  worse: PathVerdict.WORSE,
  rejected: PathVerdict.REJECTED,
};

function pathMessage(path: ExplainedPath) {
  const { verdict, reason } = path;
  const rejectedBecause = verdict === 'rejected' ? reason : '';
  const route = routeMessage({ ...path, isBest: verdict === 'best', rejectedBecause });
  return { route, verdict: VERDICTS[verdict], reason };
}

/** What a question about a prefix or an address is about; undefined when nothing is known of it. */
function findPrefix(node: BgpNode, text: string): Prefix | undefined {
  const prefix = parseFilter(text);
  if (text.includes('/')) return isKnown(node.speaker, prefix) ? prefix : undefined;
  return longestMatch(node.speaker, firstAddress(prefix));
}

const LIST = 'list routes of';

/**
 * @param text the peer's key; or its address alone, where that says enough
 * @param action what shall be done with it, for the error
 */
function findPeer(node: BgpNode, text: string, action: string): Peer {
  const { peers } = node.speaker;
  const found = peers.get(text) ?? onlyPeerAt(peers.values(), text);
  if (found !== undefined) return found;
  const known = [...peers.keys()].map((each) => `"${each}"`).join(', ') || 'none';
  throw new RpcError(
    text === '' ? 'INVALID_ARGUMENT' : 'NOT_FOUND',
    `Cannot ${action} peer "${text}": peers are ${known}`,
  );
}

function onlyPeerAt(peers: Iterable<Peer>, address: string): Peer | undefined {
  const there = Array.from(peers).filter(({ config }) => formatAddress(config.address) === address);
  return there.length === 1 ? there[0] : undefined;
}

function parseFilter(text: string): Prefix {
  try {
    return parsePrefix(text, { hostBits: 'clear' });
  } catch (cause) {
    if (!(cause instanceof IpError)) throw cause;
    throw new RpcError('INVALID_ARGUMENT', cause.message, { cause });
  }
}

function routeMessage(row: Row) {
  const { prefix, data, source, isBest, isStale = false, rejectedBecause = '' } = row;
  const { attributes, nextHop } = data;
  const { localPreference, multiExitDiscriminator, originatorId, aggregator } = attributes;
  const asPath = attributes.asPath ?? [];
  return {
    prefix: formatPrefix(prefix),
    nextHop: nextHop.value === 0n ? '' : formatAddress(nextHop),
    asPath: asPath.flatMap(({ asns }) => asns),
    asPathText: formatAsPath(asPath),
    ...(localPreference === undefined ? {} : { localPreference }),
    ...(multiExitDiscriminator === undefined ? {} : { multiExitDiscriminator }),
    communities: (attributes.communities ?? []).map(formatCommunity),
    largeCommunities: (attributes.largeCommunities ?? []).map(formatLargeCommunity),
    extendedCommunities: (attributes.extendedCommunities ?? []).map(formatExtendedCommunity),
    aggregator:
      aggregator === undefined ? '' : `${aggregator.asn} ${formatRouterId(aggregator.routerId)}`,
    atomicAggregate: attributes.atomicAggregate ?? false,
    client: source?.kind === 'local' ? (source.client ?? '') : '',
    learnedFrom: source?.kind === 'peer' ? formatAddress(source.address) : '',
    best: isBest,
    origin: ORIGINS[attributes.origin ?? 2] ?? 'incomplete',
    originatorId: originatorId === undefined ? '' : formatRouterId(originatorId),
    clusterList: (attributes.clusterList ?? []).map(formatRouterId),
    stale: isStale,
    multipath: row.isMultipath ?? false,
    rejectedBecause,
  };
}
