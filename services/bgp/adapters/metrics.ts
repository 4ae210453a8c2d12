import type { Metrics, Reading } from '@calico/telemetry';
import type { BgpNode } from '../core/node/bgp_node.ts';
import { type MalformedUpdates, NO_MALFORMED } from '../core/speaker/malformed_updates.ts';
import type { PeerStatus } from '../ports.ts';
import { LoopWatch } from './loop_delay.ts';

const TREATMENTS = [
  ['treat-as-withdraw', 'treatAsWithdraw'],
  ['attribute-discard', 'attributeDiscard'],
  ['session-reset', 'sessionReset'],
] as const;

export function publishMetrics(metrics: Metrics, node: BgpNode): void {
  const loop = new LoopWatch();
  const count = (isUp: boolean): number =>
    node.peers().filter(({ state }) => (state === 'Established') === isUp).length;
  metrics.observe('calico_bgp_peers_established', 'Sessions that are up', () => count(true));
  metrics.observe('calico_bgp_peers_down', 'Configured sessions that are not up', () =>
    count(false),
  );
  publishRouters(
    metrics,
    () => node.peers(),
    ({ key }) => node.operator.messages.of(key)?.malformed,
  );
  metrics.observe(
    'calico_bgp_prefixes',
    'Prefixes in the routing table',
    () => node.speaker.rib.size,
  );
  metrics.observe(
    'calico_bgp_kernel_routes',
    'Routes of this service in the kernel',
    () => node.kernelRouteCount,
  );
  metrics.observe('calico_bgp_paths_up', 'Paths that BFD watches and that are up', () =>
    node.pathCount(true),
  );
  metrics.observe('calico_bgp_paths_down', 'Paths that BFD watches and that are not up', () =>
    node.pathCount(false),
  );
  metrics.observe(
    'calico_bgp_event_loop_delay_ms',
    'Longest time that the event loop was late since the last reading, in milliseconds; it may have been 10 more',
    () => loop.takeLate(),
  );
  metrics.observe(
    'calico_bgp_event_loop_busy_ms',
    'Most processor time that the event loop has used during such a delay, in milliseconds; waiting inside system calls is not in it',
    () => loop.takeBusy(),
  );
}

/** Of each peer that is named and no node of the cluster: nodes, guests and workloads are many, and come and go. */
export function publishRouters(
  metrics: Metrics,
  peers: () => readonly PeerStatus[],
  malformedOf: (peer: PeerStatus) => MalformedUpdates | undefined,
): void {
  const routers = () =>
    peers().filter(({ remoteNode, isPassing }) => remoteNode === undefined && !isPassing);
  const each = (name: string, description: string, valueOf: (peer: PeerStatus) => number): void => {
    metrics.observeEach(`calico_bgp_router_${name}`, description, () =>
      routers().map((peer): Reading => ({ value: valueOf(peer), labels: { peer: peer.key } })),
    );
  };
  each('up', 'Whether the session with a peer outside the cluster is up: 1 or 0', ({ state }) =>
    state === 'Established' ? 1 : 0,
  );
  each('losses', 'How often that session has ended', ({ losses }) => losses);
  each(
    'prefixes_received',
    'Routes that the peer has told and policy let in',
    (peer) => peer.received,
  );
  each(
    'prefixes_rejected',
    'Routes that the peer has told and policy kept out',
    (peer) => peer.rejected,
  );
  each('prefixes_advertised', 'Routes that the peer has been told', (peer) => peer.advertised);
  metrics.observeEach(
    'calico_bgp_router_malformed_updates',
    'UPDATEs of the peer that were malformed, by what was done for it (RFC 7606)',
    () =>
      routers().flatMap((peer) => {
        const counts = malformedOf(peer) ?? NO_MALFORMED;
        return TREATMENTS.map(
          ([treatment, count]): Reading => ({
            value: counts[count],
            labels: { peer: peer.key, treatment },
          }),
        );
      }),
  );
}
