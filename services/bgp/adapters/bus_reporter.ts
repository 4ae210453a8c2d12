import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Bus } from '@calico/bus';
import { formatAddress } from '@calico/ip';
import { BgpPeerType } from '@calico/proto/events/v1/events';
import type { Loss } from '../core/session/session.ts';
import type { PeerStatus, Reporter } from '../ports.ts';
import { bfdMessage } from './bfd_message.ts';

const COMPONENT = 'bgp';

const PEER_TYPES = {
  mesh: BgpPeerType.NODE_MESH,
  node: BgpPeerType.NODE,
  global: BgpPeerType.GLOBAL,
} as const;

export type BusReporterOptions = {
  readonly bus: Bus;
  readonly node: string;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
};

export function busReporter({ bus, node, version, startedAt }: BusReporterOptions): Reporter {
  return {
    peers: (peers) => bus.report(node, 'peers', { peers: peers.map(peerMessage) }),
    applied: (revision, inSync) =>
      bus.report(node, 'applied', { component: COMPONENT, revision, inSync }),
    health: ({ ready, messages, recent }) =>
      bus.report(node, 'health', {
        component: COMPONENT,
        ready,
        messages: [...messages, ...recent],
        version,
        started: timestampFromMs(startedAt),
      }),
  };
}

/** As BgpPeerStatus. */
export function peerMessage(peer: PeerStatus) {
  return {
    key: peer.key,
    address: formatAddress(peer.address),
    port: peer.port,
    remoteAsn: peer.remoteAsn,
    type: PEER_TYPES[peer.type],
    state: peer.state,
    since: timestampFromMs(peer.since),
    lastError: peer.lastError,
    losses: peer.losses,
    ...(peer.lastLoss === undefined ? {} : { lastLoss: lossMessage(peer.lastLoss) }),
    prefixesReceived: peer.received,
    prefixesRejected: peer.rejected,
    prefixesStale: peer.stale,
    prefixesAdvertised: peer.advertised,
    remoteNode: peer.remoteNode ?? '',
    agreed: [...peer.agreed],
    ...(peer.bfd === undefined ? {} : { bfd: bfdMessage(peer.bfd) }),
  };
}

function lossMessage({ at, reason }: Loss) {
  return { time: timestampFromMs(at), reason };
}
