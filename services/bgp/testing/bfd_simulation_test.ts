// What BGP makes of BFD's words, on a simulated network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BfdState } from '@calico/bfd-wire';
import type { BfdStatus } from '../core/bfd/types.ts';
import { affinity, bgpConfiguration, node, pool } from './resources.ts';
import { SimulatedCluster, type SimulatedNode } from './simulated_cluster.ts';

const BLOCK_OF_B = '10.244.58.192/26 via 192.168.80.102';

function pair(bfd: Readonly<Record<string, unknown>>): SimulatedCluster {
  const cluster = new SimulatedCluster(11);
  cluster.resources = [
    bgpConfiguration({ bfd: { enabled: true, ...bfd } }),
    pool('10.244.0.0/16'),
    node('a', '192.168.80.101/24'),
    node('b', '192.168.80.102/24'),
    affinity('b', '10.244.58.192/26'),
  ];
  cluster.start('a');
  cluster.start('b');
  return cluster;
}

/** Node a hears of the path to node b. */
function says(cluster: SimulatedCluster, news: Partial<BfdStatus>): SimulatedNode {
  const a = cluster.node('a');
  a.bgp.pathChanged({
    address: cluster.addressOf('b'),
    state: BfdState.Down,
    cause: undefined,
    since: cluster.clock.now(),
    transmitMs: 300,
    detectionMs: 900,
    isRemoteIndependent: false,
    problem: '',
    ...news,
  });
  return a;
}

const UP = { state: BfdState.Up } as const;

test('a path that is lost takes the session and its routes along at once, and b is told', () => {
  const cluster = pair({});
  cluster.advance(5_000);
  says(cluster, UP);
  assert.ok(cluster.node('a').kernel.describe().includes(BLOCK_OF_B));
  const a = says(cluster, { cause: 'expired' });
  assert.deepEqual(a.kernel.describe(), []);
  assert.deepEqual(a.states(), { 102: 'Idle' });
  cluster.advance(10);
  assert.match(cluster.node('b').log.join('\n'), /Received: Cease: BFD down/);
  // The peer may be back before BFD is: it is not waited for.
  cluster.advance(5_000);
  assert.ok(a.kernel.describe().includes(BLOCK_OF_B));
});

test('what says nothing about the path disturbs nothing', () => {
  for (const cause of ['restarted', 'administrative', 'starting'] as const) {
    const cluster = pair({});
    cluster.advance(5_000);
    says(cluster, UP);
    says(cluster, { cause });
    says(cluster, { state: BfdState.Init, cause });
    assert.deepEqual(cluster.node('a').states(), { 102: 'Established' }, cause);
  }
});

test('a peer that has never been up by BFD is no failure', () => {
  const cluster = pair({});
  cluster.advance(5_000);
  says(cluster, { cause: 'expired' });
  assert.deepEqual(cluster.node('a').states(), { 102: 'Established' });
});

test('strict: no session before BFD is up, none after, and it comes back with BFD', () => {
  const cluster = pair({ strict: true });
  cluster.advance(10_000);
  const a = cluster.node('a');
  assert.deepEqual(a.states(), { 102: 'Idle' });
  assert.equal(a.bgp.peers()[0]?.lastError, 'Waits for BFD');
  says(cluster, UP);
  cluster.node('b').bgp.pathChanged({
    ...(a.bgp.peers()[0]?.bfd as BfdStatus),
    address: cluster.addressOf('a'),
  });
  cluster.advance(5_000);
  assert.deepEqual(a.states(), { 102: 'Established' });
  says(cluster, { cause: 'signaled' });
  cluster.advance(60_000);
  assert.deepEqual(a.states(), { 102: 'Idle' });
  says(cluster, UP);
  cluster.advance(40_000);
  assert.deepEqual(a.states(), { 102: 'Established' });
});

test('routes of a restarting peer go when its BFD, which outlives it, is lost', () => {
  for (const isRemoteIndependent of [true, false]) {
    const cluster = pair({});
    cluster.advance(5_000);
    says(cluster, UP);
    cluster.kill('b');
    cluster.advance(1_000);
    const a = says(cluster, { cause: 'expired', isRemoteIndependent });
    assert.equal(a.kernel.describe().includes(BLOCK_OF_B), !isRemoteIndependent);
  }
});

test('a change of BFD settings leaves the session alone; without strict it no longer waits', () => {
  const cluster = pair({ strict: true });
  cluster.advance(5_000);
  cluster.apply([bgpConfiguration({ bfd: { enabled: true } }), ...cluster.resources.slice(1)]);
  cluster.advance(5_000);
  const since = cluster.node('a').bgp.peers()[0]?.since;
  assert.deepEqual(cluster.node('a').states(), { 102: 'Established' });
  cluster.apply([bgpConfiguration({}), ...cluster.resources.slice(1)]);
  cluster.advance(5_000);
  assert.equal(cluster.node('a').bgp.peers()[0]?.since, since);
  assert.equal(cluster.node('a').bgp.peers()[0]?.bfd, undefined);
});
