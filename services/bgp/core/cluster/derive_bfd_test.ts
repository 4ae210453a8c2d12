import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import { type BfdSpec, deriveBfd } from './derive_bfd.ts';

const SUBNET = parsePrefix('192.168.80.0/24');

function derive(cluster: BfdSpec, peer: BfdSpec, address = '192.168.80.101') {
  return deriveBfd(cluster, peer, parseAddress(address), SUBNET);
}

test('BFD is off unless enabled, and a peer has the last word', () => {
  assert.equal(derive(undefined, undefined), undefined);
  assert.equal(derive({ detectMultiplier: 5 }, undefined), undefined);
  assert.equal(derive({ enabled: true }, { enabled: false }), undefined);
  assert.ok(derive({ enabled: true }, undefined));
  assert.ok(derive(undefined, { enabled: true }));
});

test('three times 300 ms unless given, field by field', () => {
  assert.deepEqual(derive({ enabled: true, minReceiveInterval: '50ms' }, { strict: true }), {
    settings: { minReceiveMs: 50, minTransmitMs: 300, detectMultiplier: 3, isMultihop: false },
    isStrict: true,
  });
});

function isMultihop(peer: BfdSpec, address: string): boolean | undefined {
  return derive({ enabled: true }, peer, address)?.settings.isMultihop;
}

test('a peer outside of the subnet is behind routers, unless said otherwise', () => {
  assert.equal(isMultihop({}, '192.168.81.1'), true);
  assert.equal(isMultihop({ multihop: false }, '192.168.81.1'), false);
  assert.equal(isMultihop({ multihop: true }, '192.168.80.1'), true);
});
