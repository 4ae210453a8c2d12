import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parseInterfaceAddress, parsePrefix } from '@calico/ip';
import {
  decideBlockRoute,
  type IPPool,
  ipPoolOf,
  parseResource,
  podMtu,
  sameSubnet,
} from './mod.ts';

function pool(cidr: string, spec: object = {}): IPPool {
  return parseResource({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'p' },
    spec: { cidr, ...spec },
  }) as IPPool;
}

const V4 = '10.244.0.0/16';
const V6 = 'fd00:10:244::/56';

test('decideBlockRoute() gives each route one owner', () => {
  const native = { owner: 'bgp', device: 'native', protocol: 12, onlink: false };
  const ipip = { owner: 'bgp', device: 'tunl0', protocol: 12, onlink: true };
  const vxlan = { owner: 'felix', device: 'vxlan.calico', protocol: 80, onlink: true };
  const felixNative = { owner: 'felix', device: 'native', protocol: 80, onlink: false };
  const vxlanV6 = { ...vxlan, device: 'vxlan-v6.calico' };
  for (const [cidr, spec, neighbour, distant] of [
    [V4, {}, native, native],
    [V4, { ipipMode: 'Always' }, ipip, ipip],
    [V4, { ipipMode: 'CrossSubnet' }, native, ipip],
    [V4, { vxlanMode: 'Always' }, vxlan, vxlan],
    [V4, { vxlanMode: 'CrossSubnet' }, felixNative, vxlan],
    [V6, {}, native, native],
    [V6, { vxlanMode: 'Always' }, vxlanV6, vxlanV6],
    [V6, { vxlanMode: 'CrossSubnet' }, felixNative, vxlanV6],
  ] as const) {
    assert.deepEqual(decideBlockRoute(pool(cidr, spec), true), neighbour);
    assert.deepEqual(decideBlockRoute(pool(cidr, spec), false), distant);
  }
  assert.deepEqual(decideBlockRoute(undefined, false), native);
});

test('sameSubnet() uses the length that the local address is configured with', () => {
  const local = parseInterfaceAddress('192.168.80.100/24');
  assert.ok(sameSubnet(local, parseAddress('192.168.80.101')));
  assert.ok(!sameSubnet(local, parseAddress('192.168.81.101')));
  assert.ok(!sameSubnet(local, parseAddress('fd00::1')));
});

test('podMtu() leaves room for the encapsulation', () => {
  assert.equal(podMtu(pool(V4, { ipipMode: 'Always' }), 1500), 1480);
  assert.equal(podMtu(pool(V4, { ipipMode: 'CrossSubnet' }), 1500), 1480);
  assert.equal(podMtu(pool(V4, { vxlanMode: 'Always' }), 1500), 1450);
  assert.equal(podMtu(pool('fd00::/48', { vxlanMode: 'Always' }), 1500), 1430);
  assert.equal(podMtu(pool(V4), 1500), 1500);
  assert.equal(podMtu(undefined, 9000), 9000);
});

test('ipPoolOf() takes the pool with the longest prefix, disabled or not', () => {
  const wide = pool('10.0.0.0/8');
  const narrow = pool(V4, { disabled: true });
  assert.equal(ipPoolOf([wide, narrow], parseAddress('10.244.1.1')), narrow);
  assert.equal(ipPoolOf([narrow, wide], parsePrefix('10.244.58.192/26')), narrow);
  assert.equal(ipPoolOf([narrow, wide], parseAddress('10.1.1.1')), wide);
  assert.equal(ipPoolOf([narrow, wide], parseAddress('fd00::1')), undefined);
});
