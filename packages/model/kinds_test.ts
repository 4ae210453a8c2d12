import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findKind, KINDS, keyOf, keyText } from './mod.ts';

test('findKind() takes kinds, plurals and aliases in any case', () => {
  for (const [text, kind] of [
    ['IPPool', 'IPPool'],
    ['ippools', 'IPPool'],
    ['pool', 'IPPool'],
    ['IPP', 'IPPool'],
    ['no', 'Node'],
    ['np', 'NetworkPolicy'],
    ['policy', 'NetworkPolicy'],
    ['gnp', 'GlobalNetworkPolicy'],
    ['wep', 'WorkloadEndpoint'],
    ['hep', 'HostEndpoint'],
    ['bgpp', 'BGPPeer'],
    ['bgpconfig', 'BGPConfiguration'],
    ['felixconfig', 'FelixConfiguration'],
    ['clusterinfo', 'ClusterInformation'],
    ['tier', 'Tier'],
    ['pro', 'Profile'],
    ['spol', 'StagedNetworkPolicy'],
    ['gnetsets', 'GlobalNetworkSet'],
  ] as const) {
    assert.equal(findKind(text)?.kind, kind, text);
  }
  assert.equal(findKind('toString'), undefined);
  assert.equal(findKind(''), undefined);
});

test('no name stands for two kinds', () => {
  const names = Object.values(KINDS).flatMap(({ kind, plural, aliases }) => [
    kind.toLowerCase(),
    plural,
    ...aliases,
  ]);
  assert.equal(new Set(names).size, names.length);
});

test('keyText() differs by kind, namespace and name', () => {
  const policy = { kind: 'NetworkPolicy', metadata: { name: 'a', namespace: 'b' } } as const;
  assert.equal(keyText(keyOf(policy)), 'NetworkPolicy/b/a');
  const node = { kind: 'Node', metadata: { name: 'a', namespace: 'ignored' } } as const;
  assert.deepEqual(keyOf(node), { kind: 'Node', namespace: '', name: 'a' });
});
