import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { type FeedEvent, ResourceView } from '@calico/feed';
import type { AnyResource } from '@calico/model';
import type { ClusterResources } from '../core/cluster/resources.ts';
import { affinity, node } from '../testing/resources.ts';
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
  let saved: readonly AnyResource[] | undefined;
  const reader = new FeedReader({
    view: new ResourceView(),
    clock,
    cache: {
      load: () => [...remembered],
      save: (resources) => {
        saved = resources();
      },
    },
    onRevision: (revision) => revisions.push(revision),
    onResources: ({ nodes, blockAffinities }: ClusterResources, state) => {
      const names = nodes.map(({ metadata }) => metadata.name);
      given.push({ nodes: names, blocks: blockAffinities.length, ...state });
    },
  });
  return { clock, reader, given, revisions, saved: () => saved };
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
  reader.start();
  assert.deepEqual(given, [{ nodes: ['a'], blocks: 0, inSync: false, revision: 0n }]);
  await reader.run(events(clock, { kind: 'snapshot-start', source: 'nats' }, put(B), 100, 100));
  assert.equal(given.length, 1);
});

test('changes that arrive together are looked at together, and remembered', async () => {
  const { clock, reader, given, saved, revisions } = fixture();
  reader.start();
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
