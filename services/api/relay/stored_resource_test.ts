import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS, type Kind, resourcePath, ValidationError } from '@calico/model';
import * as fc from 'fast-check';
import { readEntry } from './change.ts';
import { resourceAt, resourceKeyAt } from './stored_resource.ts';

const BLOCK = '/calico/ipam/v2/assignment/ipv4/block/10.244.58.192-26';
const AFFINITY = '/calico/ipam/v2/host/k8s-node02/ipv4/block/10.244.58.192-26';

function pathOf(kind: Kind): string {
  return resourcePath({ kind, namespace: 'ns', name: 'x' });
}

function readAt(path: string, value: string) {
  const key = resourceKeyAt(path);
  assert.ok(key);
  return resourceAt(path, key, value, 42n);
}

test('resourceKeyAt() knows resources, blocks and affinities of hosts', () => {
  const root = '/calico/resources/v3/projectcalico.org';
  assert.deepEqual(resourceKeyAt(`${root}/ippools/default`), {
    kind: 'IPPool',
    namespace: '',
    name: 'default',
  });
  assert.deepEqual(resourceKeyAt(`${root}/networkpolicies/prod/allow`), {
    kind: 'NetworkPolicy',
    namespace: 'prod',
    name: 'allow',
  });
  assert.equal(resourceKeyAt(BLOCK)?.name, '10-244-58-192-26');
  assert.equal(resourceKeyAt(AFFINITY)?.name, 'k8s-node02-10-244-58-192-26');
  for (const other of [
    '/calico/ipam/v2/handle/h1',
    '/calico/ipam/v2/config',
    '/calico/ipam/v2/virtual/load-balancer/ipv4/block/10.0.0.0-26',
    `${root}/nonsense/x`,
    '/registry/pods/x',
    '',
  ]) {
    assert.equal(resourceKeyAt(other), undefined, other);
  }
});

test('resourceAt() gives a document its name and revision', () => {
  const path = '/calico/resources/v3/projectcalico.org/tiers/security';
  const tier = readAt(path, '{"kind":"Tier","metadata":{"uid":"u1"},"spec":{"order":7},"x":1}');
  assert.equal(tier.metadata.name, 'security');
  assert.equal(tier.metadata.resourceVersion, '42');
  assert.equal(tier.metadata.uid, 'u1');
  assert.equal((tier as unknown as { x: number }).x, 1);
});

test('resourceAt() makes resources of a block and an affinity', () => {
  const block = readAt(
    BLOCK,
    JSON.stringify({
      cidr: '10.244.58.192/26',
      affinity: 'host:k8s-node02',
      allocations: [0, null],
      unallocated: [1],
      attributes: [{ handle_id: 'h1', secondary: { pod: 'p' } }],
    }),
  );
  assert.equal(block.kind, 'IPAMBlock');
  assert.equal(block.kind === 'IPAMBlock' && block.spec.affinity, 'host:k8s-node02');
  const pending = readAt(AFFINITY, '{"state":"pending","deleted":false}');
  assert.deepEqual(pending.kind === 'BlockAffinity' && pending.spec, {
    node: 'k8s-node02',
    type: 'host',
    cidr: '10.244.58.192/26',
    state: 'pending',
    deleted: false,
  });
  const old = readAt(AFFINITY, '');
  assert.equal(old.kind === 'BlockAffinity' && old.spec.state, 'confirmed');
});

test('readEntry() relays only kinds that nodes need', () => {
  for (const kind of Object.keys(KINDS) as Kind[]) {
    if (KINDS[kind].readOnly) continue;
    const isRelayed = readEntry(pathOf(kind), '{', 1n).kind !== 'not-relayed';
    assert.equal(isRelayed, KINDS[kind].consumers.length > 0, kind);
  }
});

test('readEntry() never throws for what lies in etcd', () => {
  const paths = fc.constantFrom(BLOCK, AFFINITY, ...(Object.keys(KINDS) as Kind[]).map(pathOf));
  const values = fc.oneof(
    fc.string(),
    fc.json(),
    fc.record({ metadata: fc.anything(), spec: fc.anything() }).map((each) => {
      try {
        return JSON.stringify(each);
      } catch {
        return '{}';
      }
    }),
  );
  fc.assert(
    fc.property(fc.oneof(paths, fc.string()), values, (path, value) => {
      const read = readEntry(path, value, 3n);
      assert.ok(['put', 'not-relayed', 'unreadable'].includes(read.kind));
    }),
    { numRuns: 3_000 },
  );
});

test('resourceAt() throws ValidationError with the name for what is no document', () => {
  assert.throws(
    () => readAt(BLOCK, '[1]'),
    (cause) => cause instanceof ValidationError && cause.message.includes('10-244-58-192-26'),
  );
});
