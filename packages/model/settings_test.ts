import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BGPConfiguration,
  bgpConfigurationFor,
  changeProblems,
  type FelixConfiguration,
  felixConfigurationFor,
  type IPPool,
  ipPoolProblems,
  parseResource,
} from './mod.ts';

function resource(kind: string, name: string, spec: object) {
  return parseResource({ apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec });
}

const bgp = (name: string, spec: object) =>
  resource('BGPConfiguration', name, spec) as BGPConfiguration;
const felix = (name: string, spec: object) =>
  resource('FelixConfiguration', name, spec) as FelixConfiguration;
const pool = (name: string, spec: object) => resource('IPPool', name, spec) as IPPool;

test('bgpConfigurationFor() lays the node over the cluster over the defaults', () => {
  const all = [bgp('node.a', { listenPort: 1790 }), bgp('default', { asNumber: 65_000 })];
  const a = bgpConfigurationFor('a', all);
  assert.deepEqual([a.asNumber, a.listenPort, a.nodeToNodeMeshEnabled], [65_000, 1790, true]);
  assert.equal(bgpConfigurationFor('b', all).listenPort, 179);
  assert.equal(bgpConfigurationFor('b', []).asNumber, 64_512);
});

test('felixConfigurationFor() lays the node over the cluster', () => {
  const all = [felix('default', { ipipMTU: 1, vxlanMTU: 2 }), felix('node.a', { ipipMTU: 3 })];
  assert.deepEqual(felixConfigurationFor('a', all), { ipipMTU: 3, vxlanMTU: 2 });
  assert.deepEqual(felixConfigurationFor('b', []), {});
});

test('changeProblems() holds cidr and block size', () => {
  const before = pool('p', { cidr: '10.244.0.0/16' });
  const after = pool('p', { cidr: '10.245.0.0/16', blockSize: 24, natOutgoing: true });
  assert.deepEqual(
    changeProblems(before, after).map(({ field }) => field),
    ['spec.cidr', 'spec.blockSize'],
  );
  assert.deepEqual(
    changeProblems(before, pool('p', { cidr: '10.244.0.0/16', disabled: true })),
    [],
  );
  const services = pool('p', { cidr: '10.244.0.0/16', allowedUses: ['LoadBalancer'] });
  assert.equal(changeProblems(before, services)[0]?.field, 'spec.allowedUses');
});

test('changeProblems() takes another text of the same network', () => {
  const before = pool('p', { cidr: 'fd00:0::/48' });
  assert.deepEqual(changeProblems(before, pool('p', { cidr: 'fd00::/48' })), []);
});

test('ipPoolProblems() finds overlaps with other pools', () => {
  const p = pool('p', { cidr: '10.244.0.0/16' });
  const others = [p, pool('wide', { cidr: '10.0.0.0/8' }), pool('else', { cidr: '10.245.0.0/16' })];
  assert.deepEqual(ipPoolProblems(p, others), [
    {
      field: 'spec.cidr',
      value: '10.244.0.0/16',
      message: 'overlaps "10.0.0.0/8" of IPPool "wide"',
    },
  ]);
});
