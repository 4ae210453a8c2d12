// Addresses of services are announced by the nodes that deliver to them, and follow the endpoints.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CancelTimer, FakeClock } from '@calico/clock';
import { formatAddress, parseAddress, parsePrefix } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import { affinity, bgpConfiguration, endpointSlice, node, pool, service } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const NODES = ['a', 'b', 'c'];
const RANGES = {
  serviceLoadBalancerIPs: [{ cidr: '192.0.2.0/24' }],
  serviceClusterIPs: [{ cidr: '10.96.0.0/12' }],
};

function base(configuration: Readonly<Record<string, unknown>> = {}): AnyResource[] {
  return [
    bgpConfiguration({ asNumber: 64512, ...RANGES, ...configuration }),
    pool('10.244.0.0/16'),
    ...NODES.map((name, index) => node(name, `192.168.80.${101 + index}/24`)),
  ];
}

const NO_RANGES: readonly object[] = [];
const WEB = service('web', { externalTrafficPolicy: 'Local' }, ['192.0.2.7']);
const ADDRESS = '192.0.2.7/32';

/** A turn of the event loop takes a while, and so does each service. */
class SlowClock extends FakeClock {
  #workedMs = 0;

  override monotonic(): number {
    this.#workedMs += 0.2;
    return super.monotonic() + this.#workedMs;
  }

  override setTimer(delayMs: number, callback: () => void): CancelTimer {
    return super.setTimer(delayMs === 0 ? 20 : delayMs, callback);
  }
}

function running(...resources: readonly AnyResource[]): SimulatedCluster {
  return runningAt(undefined, ...resources);
}

function runningAt(
  clock: FakeClock | undefined,
  ...resources: readonly AnyResource[]
): SimulatedCluster {
  const cluster = new SimulatedCluster(11, 40, clock);
  cluster.resources = [...base(), ...resources];
  for (const name of NODES) cluster.start(name);
  cluster.advance(10_000);
  assert.ok(cluster.isConverged());
  return cluster;
}

/** Through whom a node knows ways to a prefix; "self" for its own. */
function ways(cluster: SimulatedCluster, at: string, prefix = ADDRESS): string[] {
  const entry = cluster.node(at).speaker.rib.get(parsePrefix(prefix));
  return (entry?.candidates ?? [])
    .map(({ source }) => (source.kind === 'local' ? 'self' : formatAddress(source.address)))
    .toSorted();
}

const [A, B] = ['192.168.80.101', '192.168.80.102'];

test('nodes with a ready endpoint announce the address, and no kernel gets a route to it', () => {
  const cluster = running(WEB, endpointSlice('web-1', 'web', ['a', '!b']));
  assert.deepEqual(ways(cluster, 'c'), [A]);
  assert.deepEqual(ways(cluster, 'a'), ['self']);
  assert.deepEqual(ways(cluster, 'c', '10.96.0.1/32'), [A]);
  assert.deepEqual(ways(cluster, 'c', '192.0.2.0/24'), [A, B, 'self']);
  for (const { kernel } of cluster.nodes.values()) assert.deepEqual(kernel.describe(), []);
  const why = (name: string) =>
    cluster.node(name).bgp.services.explain(parseAddress('192.0.2.7')).join();
  assert.match(why('a'), /"default\/web", is announced: a ready endpoint is on this node/);
  assert.match(why('b'), /is not announced: .* no ready endpoint is on this node/);
});

test('an endpoint that goes from node to node takes the address along, without a gap where it is made first', () => {
  const cluster = running(WEB, endpointSlice('web-1', 'web', ['a']));
  const becomes = (nodes: readonly string[], expected: readonly string[]) => {
    cluster.apply([...base(), WEB, endpointSlice('web-1', 'web', nodes)]);
    for (let step = 0; step < 100; step++) {
      cluster.advance(5);
      assert.notDeepEqual(ways(cluster, 'c'), [], `on the way to ${nodes.join()}`);
    }
    assert.deepEqual(ways(cluster, 'c'), expected);
  };
  becomes(['a', '!b'], [A]);
  becomes(['a', 'b'], [A, B]);
  becomes(['!a', 'b'], [B]);
  cluster.apply([...base(), WEB, endpointSlice('web-1', 'web', ['c'])]);
  cluster.advance(500);
  assert.deepEqual(ways(cluster, 'c'), ['self']);
  assert.deepEqual(ways(cluster, 'a').length, 1);
  cluster.apply(base());
  cluster.advance(500);
  for (const name of NODES) assert.deepEqual(ways(cluster, name), []);
});

test('the configuration decides what is announced alone: listed addresses, and all without aggregation', () => {
  const plain = service('plain', {}, ['192.0.2.9']);
  const slice = endpointSlice('plain-1', 'plain', ['a']);
  const others = Array.from({ length: 100 }, (_, index) =>
    service(`other-${index}`, {}, ['1.1.1.1']),
  );
  const all = [...others, plain, slice];
  const cluster = runningAt(new SlowClock(1_700_000_000_000), ...all);
  const after = (configuration: Readonly<Record<string, unknown>>) => {
    cluster.apply([...base(configuration), ...all]);
    for (let step = 0; step < 1_200; step++) {
      cluster.advance(5);
      // While a range is configured, there is a way to the address.
      const found = [...ways(cluster, 'c', '192.0.2.9/32'), ...ways(cluster, 'c', '192.0.2.0/24')];
      assert.ok(found.length > 0 || configuration['serviceLoadBalancerIPs'] === NO_RANGES);
    }
    return [ways(cluster, 'c', '192.0.2.9/32'), ways(cluster, 'c', '192.0.2.0/24')];
  };
  const everybody = [A, B, 'self'];
  assert.deepEqual(after({}), [[], everybody]);
  assert.deepEqual(after({ serviceLoadBalancerAggregation: 'Disabled' }), [everybody, []]);
  const listed = [...RANGES.serviceLoadBalancerIPs, { cidr: '192.0.2.9/32' }];
  assert.deepEqual(after({ serviceLoadBalancerIPs: listed }), [everybody, everybody]);
  const single = [{ cidr: '192.0.2.9/32' }];
  assert.deepEqual(after({ serviceLoadBalancerIPs: single }), [everybody, []]);
  assert.deepEqual(after({}), [[], everybody]);
  assert.deepEqual(after({ serviceLoadBalancerIPs: single }), [everybody, []]);
  assert.deepEqual(after({ serviceLoadBalancerIPs: NO_RANGES }), [[], []]);
});

test('a process that starts anew announces what it did before, and nothing else, without a gap', () => {
  const block = affinity('a', '10.244.1.0/26');
  const cluster = running(block, WEB, endpointSlice('web-1', 'web', ['a']));
  cluster.kill('a');
  cluster.advance(1_000);
  cluster.start('a');
  for (let step = 0; step < 1_000; step++) {
    cluster.advance(5);
    assert.deepEqual(ways(cluster, 'c'), [A]);
  }
});
