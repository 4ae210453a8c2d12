// The node's speaker as the service runs it, with resources as an operator would write them: sessions,
// tables, policy, kernel and its monitor; without feed, reports and gRPC.
//   node our_speaker.ts WORLD.json
import { readFileSync } from 'node:fs';
import { systemClock } from '@calico/clock';
import { openNetlink } from '@calico/netlink';
import { watchKernel } from '../../../services/bgp/adapters/kernel_monitor.ts';
import { KernelRoutes } from '../../../services/bgp/adapters/kernel_routes.ts';
import { Listeners } from '../../../services/bgp/adapters/listeners.ts';
import { LoopWatch } from '../../../services/bgp/adapters/loop_delay.ts';
import { rehearsalKernel } from '../../../services/bgp/adapters/rehearsal_kernel.ts';
import { createTcpTransport } from '../../../services/bgp/adapters/tcp_transport.ts';
import { resourcesOf } from '../../../services/bgp/core/cluster/resources.ts';
import { Turns } from '../../../services/bgp/core/host/turns.ts';
import { BgpNode } from '../../../services/bgp/core/node/bgp_node.ts';
import { Rehearsal } from '../../../services/bgp/core/rehearsal/rehearsal.ts';
import { rehearse } from '../../../services/bgp/core/rehearsal/rehearse.ts';
import type { Log } from '../../../services/bgp/ports.ts';
import {
  bgpConfiguration,
  bgpFilter,
  bgpPeer,
  node as nodeResource,
  pool,
} from '../../../services/bgp/testing/resources.ts';
import { NETWORK_LENGTH, SPEAKER, type World } from './world.ts';

const NAME = 'speaker';
const world = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as World;

const log: Log = { info: () => {}, warn: () => {} };
const turns = new Turns(systemClock, (callback) => void setImmediate(callback));
const kernel = new KernelRoutes(openNetlink(), { defer: turns.defer });
const node: BgpNode = new BgpNode({
  node: NAME,
  routerId: '',
  clock: systemClock,
  random: Math.random,
  turns,
  transport: createTcpTransport(() => undefined),
  kernel,
  reporter: { peers: () => {}, applied: () => {}, health: () => {} },
  log,
  onListen: (listen) => listeners.set(listen),
});
const listeners = new Listeners(
  systemClock,
  (...arrival) => node.accept(...arrival),
  (problem) => node.setListenProblem(problem),
  () => undefined,
);
if (world.hasKernel) {
  const { signal } = new AbortController();
  const parts = { clock: systemClock, log, signal, kernel };
  void watchKernel((news) => node.kernelChanged(news), parts);
}
node.setResources(resourcesOf(resources(world)), { inSync: true, revision: 1n });
rehearse(systemClock, node.speaker.rib, () => new Rehearsal(() => rehearsalKernel(kernel)));

const loop = new LoopWatch(1);
process.on('message', () => {
  process.send?.({ late: loop.takeLate(), busy: loop.takeBusy() });
});
process.once('SIGTERM', () => process.exit(0));
process.once('disconnect', () => process.exit(0));

function resources({ peers, isReflector, hasKernel }: World): Parameters<typeof resourcesOf>[0] {
  const isMesh = !isReflector && peers.every(({ asn }) => asn === SPEAKER.asn);
  const everything = { action: 'Accept' } as const;
  const nothing = { action: 'Reject' } as const;
  const markers = { action: 'Accept', matchOperator: 'In', cidr: '9.9.0.0/16' } as const;
  return [
    nodeResource(
      NAME,
      `${SPEAKER.address}/${NETWORK_LENGTH}`,
      isReflector ? { routeReflectorClusterID: SPEAKER.address } : {},
    ),
    bgpConfiguration({
      asNumber: SPEAKER.asn,
      nodeToNodeMeshEnabled: isMesh,
      programClusterRoutes: hasKernel ? 'Enabled' : 'Disabled',
    }),
    pool('16.0.0.0/4', { blockSize: 26 }),
    pool('9.9.0.0/16', { blockSize: 26 }),
    bgpFilter('markers', { exportV4: [markers, nothing], importV4: [everything] }),
    bgpFilter('nothing', { exportV4: [nothing], importV4: [everything] }),
    ...peers.map(({ address, asn, told }, index) =>
      isMesh
        ? nodeResource(`node-${index}`, `${address}/${NETWORK_LENGTH}`)
        : bgpPeer(`peer-${index}`, {
            peerIP: address,
            asNumber: asn,
            passive: true,
            ...(told === 'all' ? {} : { filters: [told] }),
          }),
    ),
  ];
}
