import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import { affinity, bgpConfiguration, bgpFilter, bgpPeer, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const BASE: readonly AnyResource[] = [
  bgpConfiguration({ nodeToNodeMeshEnabled: false }),
  pool('10.244.0.0/16'),
  node('a', '192.168.80.100/24', { asNumber: 65_001 }),
  node('b', '192.168.80.101/24', { asNumber: 65_002 }),
  node('c', '192.168.80.102/24', { asNumber: 65_003 }),
  affinity('a', '10.244.1.0/26'),
  affinity('b', '10.244.2.0/26'),
];

/** a - b - c, each in an AS of its own; `filters` stands on b's sessions. */
function chain(filters: readonly string[]): readonly AnyResource[] {
  return [
    ...BASE,
    bgpPeer('b-all', { node: 'b', peerSelector: 'all()', reversePeering: 'Manual', filters }),
    bgpPeer('a-b', { node: 'a', peerIP: '192.168.80.101', asNumber: 65_002 }),
    bgpPeer('c-b', { node: 'c', peerIP: '192.168.80.101', asNumber: 65_002 }),
  ];
}

function start(resources: readonly AnyResource[]): SimulatedCluster {
  const cluster = new SimulatedCluster(1);
  cluster.resources = resources;
  for (const name of ['a', 'b', 'c']) cluster.start(name);
  cluster.advance(5_000);
  return cluster;
}

const ALL = ['10.244.1.0/26 via 192.168.80.100', '10.244.2.0/26 via 192.168.80.101'];

test('filters that come, change and go move routes and disturb no session', () => {
  const cluster = start(chain([]));
  const c = cluster.node('c');
  assert.deepEqual(c.kernel.describe(), ALL);
  const since = c.speaker.peers.get('192.168.80.101')?.session.since;
  const apply = (spec: Readonly<Record<string, unknown>>): string[] => {
    cluster.apply([...chain(['f']), bgpFilter('f', spec)]);
    cluster.advance(200);
    return c.kernel.describe();
  };
  const rule = { action: 'Reject', cidr: '10.244.1.0/24', matchOperator: 'In' };
  assert.deepEqual(apply({ exportV4: [rule] }), ALL.slice(1), 'not told');
  assert.deepEqual(apply({}), ALL);
  assert.deepEqual(apply({ importV4: [rule] }), ALL.slice(1), 'not taken in');
  assert.equal(cluster.node('b').speaker.peers.get('192.168.80.100')?.received.refusedCount, 1);
  assert.deepEqual(apply({}), ALL, 'what was refused is remembered');
  assert.equal(c.speaker.peers.get('192.168.80.101')?.session.since, since);
  cluster.apply(chain(['f']));
  cluster.advance(200);
  assert.deepEqual(c.kernel.describe(), [], 'a missing filter lets nothing through');
  assert.ok(c.speaker.peers.get('192.168.80.101')?.live);
});

test('operations are seen by the peer, and an accepting rule overrides the pools', () => {
  const cluster = start([
    ...chain(['f']),
    pool('10.245.0.0/16', { disableBGPExport: true }),
    affinity('b', '10.245.1.0/26'),
    bgpFilter('f', {
      exportV4: [
        {
          action: 'Accept',
          cidr: '10.245.0.0/16',
          matchOperator: 'In',
          operations: [{ prependASPath: { prefix: [65_100] } }, { addCommunity: { value: '1:2' } }],
        },
      ],
    }),
  ]);
  const paths = [...(cluster.node('c').speaker.peers.get('192.168.80.101')?.received ?? [])];
  const found = paths.find(({ data }) => data.attributes.communities !== undefined)?.data
    .attributes;
  assert.deepEqual(found?.asPath, [{ kind: 'sequence', asns: [65_002, 65_100] }]);
  assert.deepEqual(found?.communities, [65_538]);
});

test('filters that ask for interfaces follow the kernel, and judge anew only when one is another', () => {
  const cluster = new SimulatedCluster(1);
  cluster.resources = [
    ...chain(['f']),
    bgpFilter('f', { importV4: [{ action: 'Reject', interface: 'wan*' }] }),
  ];
  let judged = 0;
  cluster.recordOf = (name) => (input) => {
    judged += Number(name === 'b' && input.kind === 'refresh-interfaces');
  };
  for (const name of ['a', 'b', 'c']) cluster.start(name);
  cluster.advance(5_000);
  const { kernel, bgp } = cluster.node('b');
  assert.equal(kernel.routes.size, 2);
  const gateway = parseAddress('192.168.80.1');
  kernel.ways.set('192.168.80.100', { gateway, interfaceIndex: 2 });
  bgp.kernelChanged({ kind: 'ways' });
  cluster.advance(100);
  assert.ok(kernel.describe().includes('10.244.1.0/26 via 192.168.80.1'));
  assert.equal(judged, 0);
  kernel.interfaces.set('wan0', 7);
  kernel.ways.set('192.168.80.100', { gateway: undefined, interfaceIndex: 7 });
  bgp.kernelChanged({ kind: 'ways' });
  cluster.advance(100);
  assert.deepEqual(kernel.describe(), ['blackhole 10.244.2.0/26']);
  assert.equal(judged, 1);
});
