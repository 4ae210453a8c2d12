import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS, type Kind, resourcePath } from '@calico/model';
import * as fc from 'fast-check';
import { type Change, readEntry, removalOf } from './change.ts';

const ROOT = '/calico/resources/v3/projectcalico.org';
const BLOCK = '/calico/ipam/v2/assignment/ipv4/block/10.244.58.192-26';
const AFFINITY = '/calico/ipam/v2/host/k8s-node02/ipv4/block/10.244.58.192-26';

function pathOf(kind: Kind): string {
  return resourcePath({ kind, namespace: 'ns', name: 'x' });
}

function putAt(path: string, value: object): Change {
  const read = readEntry(path, JSON.stringify(value), 42n);
  assert.ok(
    read.kind === 'put',
    JSON.stringify(read, (_, each) => String(each)),
  );
  return read.change;
}

function documentOf({ event }: Change): unknown {
  assert.ok(event.event.case === 'put');
  return JSON.parse(event.event.value.json);
}

test('readEntry() makes a message of a document, with its revision', () => {
  const document = { kind: 'Tier', metadata: { name: 'security', uid: 'u1' }, spec: {}, x: 1 };
  const change = putAt(`${ROOT}/tiers/security`, document);
  assert.equal(change.subject, 'calico.resource.tiers._.security');
  assert.equal(change.revision, 42n);
  assert.deepEqual(documentOf(change), {
    ...document,
    metadata: { ...document.metadata, resourceVersion: '42' },
  });
});

test('readEntry() makes messages of blocks and affinities', () => {
  const block = putAt(BLOCK, {
    cidr: '10.244.58.192/26',
    affinity: 'host:k8s-node02',
    allocations: [0, null],
    unallocated: [1],
    attributes: [{ handle_id: 'h1', secondary: { pod: 'p' } }],
  });
  assert.equal(block.subject, 'calico.resource.ipamblocks._.10-244-58-192-26');
  const affinity = putAt(AFFINITY, { state: 'pending', deleted: false });
  assert.equal(affinity.subject, 'calico.resource.blockaffinities._.k8s-node02-10-244-58-192-26');
});

test('readEntry() puts an endpoint under its node', () => {
  const change = putAt(`${ROOT}/workloadendpoints/default/w`, {
    metadata: { name: 'w', namespace: 'default' },
    spec: { node: 'n.1', orchestrator: 'k8s', endpoint: 'eth0', pod: 'p', interfaceName: 'c1' },
  });
  assert.equal(change.subject, 'calico.resource.workloadendpoints.n%2E1.default.w');
  assert.equal(removalOf(change, 43n).subject, change.subject);
});

test('readEntry() refuses a document that is of another resource', () => {
  const read = readEntry(`${ROOT}/tiers/a`, '{"metadata":{"name":"b"},"spec":{}}', 1n);
  assert.ok(read.kind === 'unreadable');
  assert.match(read.reason, /tiers\/a.*Tier\/\/b/);
});

function readTier(name: string, fields: object): string {
  const document = { metadata: { name }, spec: {}, ...fields };
  return readEntry(`${ROOT}/tiers/${name}`, JSON.stringify(document), 1n).kind;
}

function readEndpoint(node: string): string {
  const spec = { node, orchestrator: 'k8s', endpoint: 'eth0', interfaceName: 'c1' };
  const document = { metadata: { name: 'w', namespace: 'default' }, spec };
  return readEntry(`${ROOT}/workloadendpoints/default/w`, JSON.stringify(document), 1n).kind;
}

test('readEntry() refuses what NATS would not take', () => {
  assert.equal(readTier('a', { pad: 'x'.repeat(990_000) }), 'put');
  assert.equal(readTier('a', { pad: 'x'.repeat(1_000_000) }), 'unreadable');
  assert.equal(readTier('a', { pad: 'é'.repeat(500_001) }), 'unreadable');
  assert.equal(readTier('n'.repeat(3_000), {}), 'unreadable');
  assert.equal(readEndpoint('n1'), 'put');
  assert.equal(readEndpoint('n\ud800'), 'unreadable');
});

test('readEntry() relays only kinds that nodes need', () => {
  for (const kind of Object.keys(KINDS) as Kind[]) {
    if (KINDS[kind].readOnly) continue;
    const isRelayed = readEntry(pathOf(kind), '{', 1n).kind !== 'not-relayed';
    assert.equal(isRelayed, KINDS[kind].consumers.length > 0, kind);
  }
  for (const other of ['/calico/ipam/v2/handle/h', '/calico/ipam/v2/config', '/x', '']) {
    assert.equal(readEntry(other, '{}', 1n).kind, 'not-relayed', other);
  }
});

test('readEntry() never throws for what lies in etcd', () => {
  const kinds = (Object.keys(KINDS) as Kind[]).map(pathOf);
  const paths = fc.oneof(fc.constantFrom(BLOCK, AFFINITY, ...kinds), fc.string());
  const values = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({ metadata: fc.jsonValue(), spec: fc.jsonValue() })
      .map((document) => JSON.stringify(document)),
  );
  fc.assert(
    fc.property(paths, values, (path, value) => {
      const read = readEntry(path, value, 3n);
      assert.ok(['put', 'not-relayed', 'unreadable'].includes(read.kind));
    }),
    { numRuns: 3_000 },
  );
});
