import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { NodeView } from './node_view.ts';
import { chooseTopology } from './topology.ts';

const AUTO = { topology: 'Auto', meshLimit: 10 } as const;

function view(name: string, zone?: string, more: Partial<NodeView> = {}): NodeView {
  return {
    name,
    kubernetesName: name,
    asn: 64_512,
    listenPort: 179,
    clusterId: undefined,
    address: { 4: undefined, 6: undefined },
    subnet: { 4: undefined, 6: undefined },
    labels: zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone },
    ...more,
  };
}

function views(count: number, zones = 1): NodeView[] {
  return Array.from({ length: count }, (_, i) => view(`node-${i}`, `z${i % zones}`));
}

function reflectorsOf(nodes: readonly NodeView[]): NodeView[] {
  const topology = chooseTopology(nodes, AUTO);
  return nodes.filter((node) => topology.isReflector(node));
}

test('chooseTopology() is a full mesh unless told otherwise, and up to the limit', () => {
  const [a, b] = [view('a'), view('b')];
  for (const [nodes, spec] of [
    [views(500), {}],
    [views(500), { topology: 'Mesh', meshLimit: 1 }],
    [views(10), AUTO],
    [views(100), { topology: 'Auto' }],
  ] as const) {
    assert.equal(chooseTopology(nodes, spec).joins(a, b), true);
  }
  assert.equal(chooseTopology(views(101), { topology: 'Auto' }).joins(a, b), false);
});

test('chooseTopology() spreads reflectors over zones, each of which every node peers with', () => {
  for (const [zones, expected] of [
    [1, 3],
    [2, 3],
    [4, 4],
    [9, 5],
  ] as const) {
    const nodes = views(60, zones);
    const reflectors = reflectorsOf(nodes);
    assert.equal(reflectors.length, expected);
    const different = new Set(reflectors.map(({ labels }) => JSON.stringify(labels)));
    assert.equal(different.size, Math.min(zones, expected));
    const topology = chooseTopology(nodes, AUTO);
    for (const node of nodes) {
      const peers = nodes.filter((other) => other !== node && topology.joins(node, other));
      const isReflector = reflectors.includes(node);
      assert.equal(peers.length, isReflector ? nodes.length - 1 : expected);
    }
  }
});

test('chooseTopology() does not depend on the order of nodes, and one more changes at most one', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 12 }), (names) => {
      const nodes = names.map((name) => view(name));
      const chosen = new Set(reflectorsOf(nodes));
      assert.deepEqual(new Set(reflectorsOf(nodes.toReversed())), chosen);
      const kept = reflectorsOf(nodes.slice(1)).filter((node) => chosen.has(node));
      assert.ok(kept.length >= 2);
    }),
  );
});

test('chooseTopology() leaves out excluded nodes, and reflectors of the operator', () => {
  const excluded = views(12).map((node) => ({
    ...node,
    labels: { 'projectcalico.org/exclude-from-route-reflection': '' },
  }));
  const willing = ['x', 'y', 'z'].map((name) => view(name));
  assert.deepEqual(new Set(reflectorsOf([...excluded, ...willing])), new Set(willing));
  assert.equal(reflectorsOf(excluded).length, 3, 'rather some than none');
  const own = view('own', undefined, { clusterId: 1 });
  assert.equal(reflectorsOf([own, ...views(10)]).length, 0, 'it does not count towards the limit');
});

test('chooseTopology() keeps sessions between AS numbers and chooses reflectors in each', () => {
  const others = Array.from({ length: 20 }, (_, i) => view(`other-${i}`, 'z', { asn: 65_000 }));
  const nodes = [...views(20), ...others];
  const topology = chooseTopology(nodes, AUTO);
  const count = (asn: number) =>
    nodes.filter((node) => node.asn === asn && topology.isReflector(node)).length;
  assert.deepEqual([count(64_512), count(65_000)], [3, 3]);
  const [first] = nodes;
  const [other] = others;
  assert.ok(first && other && topology.joins(first, other));
});
