import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { type FeedEvent, ResourceView } from '@calico/feed';
import type { AnyResource } from '@calico/model';
import type { ClusterResources } from '../core/cluster/resources.ts';
import type { ServiceNews } from '../core/services/service_intake.ts';
import { affinity, bgpPeer, endpointSlice, node, service, workload } from '../testing/resources.ts';
import { FeedReader } from './feed_reader.ts';

type Given = {
  readonly nodes: readonly string[];
  readonly blocks: number;
  readonly inSync: boolean;
  readonly revision: bigint;
};

function fixture(remembered: readonly AnyResource[] = []) {
  const clock = new FakeClock();
  const given: Given[] = [];
  const revisions: bigint[] = [];
  const services: ServiceNews[] = [];
  let saved: readonly AnyResource[] | undefined;
  let workloads: readonly string[] = [];
  const reader = new FeedReader({
    node: 'a',
    view: new ResourceView(),
    clock,
    cache: {
      load: () => Promise.resolve([...remembered]),
      save: (resources) => {
        saved = resources();
      },
    },
    onServices: (news) => services.push(news),
    onRevision: (revision) => revisions.push(revision),
    onResources: ({ nodes, blockAffinities, workloadEndpoints }: ClusterResources, state) => {
      workloads = workloadEndpoints.map(({ metadata }) => metadata.name);
      const names = nodes.map(({ metadata }) => metadata.name);
      given.push({ nodes: names, blocks: blockAffinities.length, ...state });
    },
  });
  return {
    clock,
    reader,
    given,
    services,
    revisions,
    saved: () => saved,
    workloads: () => workloads,
  };
}

async function* events(
  clock: FakeClock,
  ...list: (FeedEvent | number)[]
): AsyncIterable<FeedEvent> {
  for (const item of list) {
    if (typeof item === 'number') clock.advance(item);
    else yield item;
  }
}

function put(resource: AnyResource): FeedEvent {
  return { kind: 'put', resource, revision: 1n };
}

const A = node('a', '192.168.80.100/24');
const B = node('b', '192.168.80.101/24');

test('what is remembered comes first, as not in sync; nothing comes of an incomplete snapshot', async () => {
  const { clock, reader, given } = fixture([A]);
  await reader.start();
  assert.deepEqual(given, [{ nodes: ['a'], blocks: 0, inSync: false, revision: 0n }]);
  await reader.run(events(clock, { kind: 'snapshot-start', source: 'nats' }, put(B), 100, 100));
  assert.equal(given.length, 1);
});

test('changes that arrive together are looked at together, and remembered', async () => {
  const { clock, reader, given, saved, revisions } = fixture();
  await reader.start();
  await reader.run(
    events(
      clock,
      { kind: 'snapshot-start', source: 'nats' },
      put(A),
      put(B),
      { kind: 'in-sync', revision: 5n },
      put(affinity('a', '10.244.1.0/26')),
      { kind: 'in-sync', revision: 6n },
      10,
      { kind: 'source-lost', source: 'nats', reason: 'away' },
      { kind: 'in-sync', revision: 7n },
      10,
    ),
  );
  assert.deepEqual(given, [{ nodes: ['a', 'b'], blocks: 1, inSync: true, revision: 6n }]);
  assert.deepEqual(revisions, [7n]);
  assert.equal(saved()?.length, 3);
});

test('workloads are looked at when a peer is one, and only those of this node', async () => {
  const { clock, reader, given, revisions, workloads } = fixture();
  const selecting = bgpPeer('routers', { localWorkloadSelector: 'all()', asNumber: 65010 });
  const all = [A, workload('here', 'a', '10.244.1.7'), workload('there', 'b', '10.244.2.7')];
  const start: FeedEvent = { kind: 'snapshot-start', source: 'nats' };
  await reader.run(events(clock, start, ...all.map(put), { kind: 'in-sync', revision: 1n }, 10));
  assert.deepEqual(workloads(), []);
  await reader.run(events(clock, put(workload('more', 'a', '10.244.1.8')), 10));
  assert.deepEqual([given.length, revisions.length], [1, 1], 'only the revision is told');
  await reader.run(events(clock, put(selecting), 10));
  assert.deepEqual(workloads(), ['a-k8s-here-eth0', 'a-k8s-more-eth0']);
});

test('of services only changes are given, and everything after too many of them', async () => {
  const { clock, reader, given, services, revisions } = fixture();
  const [web, slice] = [service('web', {}), endpointSlice('web-1', 'web', ['a'])];
  const gone = { kind: 'KubernetesService', namespace: 'default', name: 'web' } as const;
  await reader.run(
    events(
      clock,
      { kind: 'snapshot-start', source: 'nats' },
      put(A),
      put(web),
      { kind: 'in-sync', revision: 5n },
      10,
      put(slice),
      { kind: 'in-sync', revision: 6n },
      10,
      put(B),
      { kind: 'in-sync', revision: 7n },
      10,
      { kind: 'removed', key: gone, revision: 8n },
      { kind: 'in-sync', revision: 8n },
      10,
      ...Array.from({ length: 20_001 }, () => put(slice)),
      10,
    ),
  );
  const texts = services.map(({ isAll, changes }) => [
    isAll,
    ...changes.map(({ key, resource }) => `${resource === undefined ? '-' : '+'}${key.name}`),
  ]);
  assert.deepEqual(texts, [
    [false, '+web'],
    [false, '+web-1'],
    [false, '-web'],
    [true, '+web-1'],
  ]);
  assert.equal(given.length, 2, 'nothing is derived for services');
  assert.deepEqual(revisions, [6n, 8n, 8n]);
});
