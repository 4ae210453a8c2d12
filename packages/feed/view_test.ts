import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStored } from '@calico/model';
import type { FeedEvent } from './events.ts';
import { ResourceView } from './view.ts';

function tier(name: string, revision: bigint): FeedEvent {
  const resource = parseStored('Tier', JSON.stringify({ metadata: { name }, spec: {} }));
  return { kind: 'put', resource, revision };
}

const START: FeedEvent = { kind: 'snapshot-start', source: 'nats' };

function viewOf(...events: readonly FeedEvent[]): ResourceView {
  const view = new ResourceView();
  for (const event of events) view.apply(event);
  return view;
}

test('apply() is in sync only after the first complete state', () => {
  const view = viewOf(START, tier('a', 1n));
  assert.equal(view.inSync, false);
  assert.equal(view.revision, 0n);
  view.apply({ kind: 'in-sync', revision: 4n });
  assert.equal(view.inSync, true);
  assert.equal(view.revision, 4n);
});

test('apply() sweeps at in-sync what a snapshot did not hold, and not before', () => {
  const view = viewOf(START, tier('a', 1n), tier('b', 2n), { kind: 'in-sync', revision: 2n });
  view.apply({ kind: 'source-lost', source: 'nats', reason: 'test' });
  view.apply(START);
  view.apply(tier('b', 2n));
  assert.ok(view.get('Tier', 'a'));
  assert.equal(view.inSync, true);
  view.apply({ kind: 'in-sync', revision: 5n });
  assert.equal(view.get('Tier', 'a'), undefined);
  assert.deepEqual(
    view.list('Tier').map(({ metadata }) => metadata.name),
    ['b'],
  );
});

test('apply() does not sweep at progress', () => {
  const view = viewOf(START, tier('a', 1n), { kind: 'in-sync', revision: 2n });
  view.apply({ kind: 'in-sync', revision: 3n });
  assert.ok(view.get('Tier', 'a'));
});

test('takeChangedKinds() names kinds that changed since it was called', () => {
  const view = viewOf(START, tier('a', 1n));
  assert.deepEqual([...view.takeChangedKinds()], ['Tier']);
  assert.deepEqual([...view.takeChangedKinds()], []);
  view.apply({ kind: 'removed', key: { kind: 'Tier', namespace: '', name: 'x' }, revision: 2n });
  assert.deepEqual([...view.changedKinds], []);
  view.apply({ kind: 'removed', key: { kind: 'Tier', namespace: '', name: 'a' }, revision: 3n });
  assert.deepEqual([...view.changedKinds], ['Tier']);
});

function resourceOf(event: FeedEvent): unknown {
  return event.kind === 'put' ? event.resource : undefined;
}

test('changesSince() tells what came, changed and went, or that it is too long ago', () => {
  const [first, second] = [tier('a', 1n), tier('a', 2n)];
  const view = viewOf(first);
  const { position } = view;
  view.apply(second);
  view.apply({
    kind: 'removed',
    key: { kind: 'Tier', namespace: '', name: 'a' },
    revision: 3n,
  });
  assert.deepEqual(view.changesSince(position), [
    { before: resourceOf(first), after: resourceOf(second) },
    { before: resourceOf(second), after: undefined },
  ]);
  assert.deepEqual(view.changesSince(view.position), []);
  for (let n = 0; n < 20_001; n++) view.apply(tier('b', 4n));
  assert.equal(view.changesSince(position), undefined);
});

function endpoint(name: string, node: string): FeedEvent {
  const spec = { node, orchestrator: 'k8s', pod: name, endpoint: 'eth0' };
  const text = JSON.stringify({ metadata: { name, namespace: 'default' }, spec });
  return { kind: 'put', resource: parseStored('WorkloadEndpoint', text), revision: 1n };
}

function endpointNames(view: ResourceView, node: string): string[] {
  return view.endpointsOf(node).map(({ metadata }) => metadata.name);
}

test('endpointsOf() knows the endpoints of each node', () => {
  const view = viewOf(endpoint('a', 'n1'), endpoint('b', 'n1'), endpoint('c', 'n2'));
  assert.deepEqual(endpointNames(view, 'n1'), ['a', 'b']);
  view.apply(endpoint('a', 'n2'));
  assert.deepEqual(endpointNames(view, 'n1'), ['b']);
  assert.deepEqual(endpointNames(view, 'n2'), ['c', 'a']);
});
