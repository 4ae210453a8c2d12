import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@calico/ip';
import * as fc from 'fast-check';
import {
  affinityPath,
  blockAffinityName,
  blockPath,
  handlePath,
  ipamBlockName,
  KINDS,
  type Kind,
  parseIpamPath,
  parseResourcePath,
  resourcePath,
  resourcePrefix,
} from './mod.ts';

const ROOT = '/calico/resources/v3/projectcalico.org';
const block = parsePrefix('10.244.58.192/26');
const block6 = parsePrefix('fd00:10:244::140/122');

test('resourcePath() has a namespace for namespaced kinds only', () => {
  assert.equal(
    resourcePath({ kind: 'IPPool', namespace: '', name: 'default-ipv4-ippool' }),
    `${ROOT}/ippools/default-ipv4-ippool`,
  );
  assert.equal(
    resourcePath({ kind: 'NetworkPolicy', namespace: 'default', name: 'allow-dns' }),
    `${ROOT}/networkpolicies/default/allow-dns`,
  );
  assert.equal(resourcePrefix('WorkloadEndpoint'), `${ROOT}/workloadendpoints/`);
  assert.equal(resourcePrefix('WorkloadEndpoint', 'a'), `${ROOT}/workloadendpoints/a/`);
  assert.equal(resourcePrefix('Node', 'a'), `${ROOT}/nodes/`);
});

test('parseResourcePath() is the inverse of resourcePath()', () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,20}$/);
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(KINDS)), name, name, (kind, namespace, id) => {
      const key = {
        kind: kind as Kind,
        namespace: KINDS[kind as Kind].namespaced ? namespace : '',
        name: id,
      };
      assert.deepEqual(parseResourcePath(resourcePath(key)), key);
    }),
  );
});

test('parseResourcePath() ignores foreign paths', () => {
  for (const path of [
    '/calico/v1/Ready',
    `${ROOT}/unknown/x`,
    `${ROOT}/ippool/x`,
    `${ROOT}/ippools/a/b`,
    `${ROOT}/ippools/`,
    `${ROOT}/ippools`,
    `${ROOT}/networkpolicies/x`,
    `${ROOT}/networkpolicies//x`,
  ]) {
    assert.equal(parseResourcePath(path), undefined, path);
  }
});

test('IPAM paths are upstream’s', () => {
  const owner = { type: 'host', name: 'k8s-node02' } as const;
  assert.equal(blockPath(block), '/calico/ipam/v2/assignment/ipv4/block/10.244.58.192-26');
  assert.equal(
    affinityPath(owner, block),
    '/calico/ipam/v2/host/k8s-node02/ipv4/block/10.244.58.192-26',
  );
  assert.equal(
    affinityPath(owner, block6),
    '/calico/ipam/v2/host/k8s-node02/ipv6/block/fd00:10:244::140-122',
  );
  assert.equal(handlePath('net.3f2a'), '/calico/ipam/v2/handle/net.3f2a');
});

test('parseIpamPath() is the inverse', () => {
  const owner = { type: 'virtual', name: 'load-balancer' } as const;
  for (const cidr of [block, block6]) {
    assert.deepEqual(parseIpamPath(blockPath(cidr)), { kind: 'block', cidr });
    assert.deepEqual(parseIpamPath(affinityPath(owner, cidr)), { kind: 'affinity', owner, cidr });
  }
  assert.deepEqual(parseIpamPath(handlePath('a-b.c')), { kind: 'handle', handleId: 'a-b.c' });
  for (const path of [
    '/calico/ipam/v2/config',
    '/calico/ipam/v2/host/x',
    '/calico/ipam/v2/assignment/ipv4/block/10.0.0.1-24',
    '/calico/ipam/v2/assignment/ipv4/block/garbage',
    '/other',
  ]) {
    assert.equal(parseIpamPath(path), undefined, path);
  }
});

test('names of blocks and affinities as resources', () => {
  assert.equal(ipamBlockName(block), '10-244-58-192-26');
  assert.equal(blockAffinityName('k8s-node02', block), 'k8s-node02-10-244-58-192-26');
  assert.equal(ipamBlockName(parsePrefix('1::3:0/112')), '1--3-0-112');
});
