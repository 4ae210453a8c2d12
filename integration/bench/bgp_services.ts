// What services of Kubernetes cost the speaker of a node: all of a large cluster at once, then one change after another.
import { parseArgs } from 'node:util';
import { type CancelTimer, FakeClock } from '@calico/clock';
import type { AnyResource } from '@calico/model';
import { servicesIn } from '../../services/bgp/core/cluster/resources.ts';
import {
  bgpConfiguration,
  endpointSlice,
  node,
  pool,
  service,
} from '../../services/bgp/testing/resources.ts';
import { SimulatedCluster } from '../../services/bgp/testing/simulated_cluster.ts';

const HELP = `What services cost the speaker of a node: two speakers in this process, in simulated time.

  node integration/bench/bgp_services.ts [--services N] [--endpoints N] [--nodes N]

  --services N    services of the cluster, each with an address of a load balancer (10000)
  --endpoints N   of each service, in one slice (10)
  --nodes N       that the endpoints are spread over (100)
  --help

Rows of Markdown: addresses that the node announces, processor time of all turns of the event loop that followed, and
the longest of them, in milliseconds. With --expose-gc garbage of the preparation is collected before.`;

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '10000' },
    endpoints: { type: 'string', default: '10' },
    nodes: { type: 'string', default: '100' },
    help: { type: 'boolean', default: false },
  },
});
const [SERVICES, ENDPOINTS, NODES] = [values.services, values.endpoints, values.nodes].map(Number);

/** Timers of simulated time, of which each is a turn; work takes the time that it takes. */
class MeasuredClock extends FakeClock {
  totalMs = 0;
  longestMs = 0;

  override monotonic(): number {
    return performance.now();
  }

  override setTimer(delayMs: number, callback: () => void): CancelTimer {
    return super.setTimer(delayMs, () => this.measure(callback));
  }

  measure(work: () => void): void {
    const began = performance.now();
    work();
    const took = performance.now() - began;
    this.totalMs += took;
    this.longestMs = Math.max(this.longestMs, took);
  }
}

const addressOf = (index: number) =>
  `10.${128 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;

/** @param moved of the endpoints, how far they have gone to other nodes */
function sliceOf(index: number, moved = 0): AnyResource {
  const nodes = Array.from({ length: ENDPOINTS ?? 0 }, (_, n) => {
    return `n${(index * 7 + n * 13 + moved) % (NODES ?? 1)}`;
  });
  return endpointSlice(`s${index}-1`, `s${index}`, nodes);
}

function servicesWith(policy: string): AnyResource[] {
  return Array.from({ length: SERVICES ?? 0 }, (_, index) =>
    service(`s${index}`, { externalTrafficPolicy: policy }, [addressOf(index)]),
  );
}

function measure(title: string, policy: string, configuration: Record<string, unknown>): void {
  const clock = new MeasuredClock(1_700_000_000_000);
  const cluster = new SimulatedCluster(1, undefined, clock);
  const serviceLoadBalancerIPs = [{ cidr: '10.128.0.0/9' }];
  cluster.resources = [
    bgpConfiguration({ serviceLoadBalancerIPs, ...configuration }),
    pool('10.0.0.0/16'),
    node('n0', '192.168.80.100/24'),
    node('other', '192.168.80.101/24'),
  ];
  const { bgp } = cluster.start('n0');
  cluster.start('other');
  cluster.advance(10_000);
  const run = (what: string, resources: readonly AnyResource[]) => {
    const changes = servicesIn(resources);
    globalThis.gc?.();
    [clock.totalMs, clock.longestMs] = [0, 0];
    clock.measure(() => bgp.services.take({ isAll: false, changes }));
    cluster.advance(100);
    const figures = [clock.totalMs, clock.longestMs].map((ms) => ms.toFixed(2));
    const row = [title, what, bgp.services.announced().length, ...figures];
    process.stdout.write(`| ${row.join(' | ')} |\n`);
  };
  const slices = Array.from({ length: SERVICES ?? 0 }, (_, index) => sliceOf(index));
  run('all at once', [...servicesWith(policy), ...slices]);
  run('the same again', [...servicesWith(policy), ...slices]);
  for (const moved of [1, 2, 3]) run('endpoints of one move', [sliceOf(0, moved)]);
  run(
    'endpoints of all move',
    slices.map((_, index) => sliceOf(index, 1)),
  );
}

if (values.help) {
  process.stdout.write(`${HELP}\n`);
} else {
  process.stdout.write(
    '| services | what | announced | all turns | longest |\n|---|---|---|---|---|\n',
  );
  measure('Local', 'Local', {});
  measure('Cluster, not aggregated', 'Cluster', { serviceLoadBalancerAggregation: 'Disabled' });
}
