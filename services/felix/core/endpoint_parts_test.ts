import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndpointParts } from './endpoint_parts.ts';
import type { LocalEndpointStatus } from './endpoint_status.ts';

const pods = (count: number): LocalEndpointStatus[] =>
  Array.from({ length: count }, (_, index) => pod(`node1-k8s-pod--${index}-eth0`));

const pod = (name: string, state: LocalEndpointStatus['state'] = 'up'): LocalEndpointStatus => ({
  namespace: 'default',
  name,
  pod: name,
  interfaceName: 'cali1',
  addresses: ['10.0.0.1'],
  state,
  reason: '',
});

test('a node without pods has one part, which is said', () => {
  const parts = new EndpointParts();
  assert.deepEqual(parts.changes([]), [{ part: 0, parts: 1, endpoints: [] }]);
  assert.deepEqual(parts.changes([]), []);
});

test('ten thousand endpoints are said once in small parts, then what changes', () => {
  const parts = new EndpointParts();
  const all = pods(10_000);
  const first = parts.changes(all);
  assert.deepEqual(new Set(first.flatMap(({ endpoints }) => endpoints)), new Set(all));
  assert.ok(Math.max(...first.map(({ endpoints }) => endpoints.length)) < 200);
  assert.deepEqual(parts.changes(structuredClone(all)), []);

  const down = all.with(4_711, pod(all[4_711]?.name ?? '', 'down'));
  const changed = parts.changes(down);
  assert.equal(changed.length, 1);
  assert.equal(changed[0]?.endpoints.filter(({ state }) => state === 'down').length, 1);

  const removed = parts.changes(down.toSpliced(4_711, 1));
  assert.deepEqual(
    removed.map(({ part, endpoints }) => [part, endpoints.length]),
    changed.map(({ part, endpoints }) => [part, endpoints.length - 1]),
  );
});

test('parts become more with the endpoints, and stay', () => {
  const parts = new EndpointParts();
  assert.equal(parts.changes(pods(128)).length, 1);
  assert.deepEqual(
    parts.changes(pods(129)).map((change) => [change.part, change.parts]),
    [
      [0, 2],
      [1, 2],
    ],
  );
  assert.deepEqual(parts.changes([]), [
    { part: 0, parts: 2, endpoints: [] },
    { part: 1, parts: 2, endpoints: [] },
  ]);
});
