import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  hostInterfaceName,
  routerIdFromName,
  vxlanTunnelMac,
  workloadEndpointName,
} from './mod.ts';

test("hostInterfaceName() gives upstream's names", () => {
  for (const [suffix, name] of [
    ['ddmm9', 'cali918b33f2bbe'],
    ['ksr4z', 'cali54491a66381'],
    ['94fqh', 'cali86c3817fabd'],
    ['m2h72', 'calib35fb91ccc9'],
  ] as const) {
    assert.equal(hostInterfaceName('default', `busybox-deploy-5c8bbcc5f7-${suffix}`), name);
  }
});

test("workloadEndpointName() gives upstream's names", () => {
  assert.equal(
    workloadEndpointName({
      node: 'node-1',
      orchestrator: 'k8s',
      pod: 'pod-name',
      endpoint: 'eth0',
    }),
    'node--1-k8s-pod--name-eth0',
  );
  assert.equal(
    workloadEndpointName({
      node: 'node-1',
      orchestrator: 'cni',
      containerId: 'abcdefa0123456',
      endpoint: 'eth0',
    }),
    'node--1-cni-abcdefa0123456-eth0',
  );
  assert.equal(
    workloadEndpointName({ node: 'node-1', orchestrator: 'libnetwork', endpoint: 'abcdefgh' }),
    'node--1-libnetwork-libnetwork-abcdefgh',
  );
});

test('workloadEndpointName() refuses parts that would be ambiguous', () => {
  const identity = { node: 'n', orchestrator: 'k8s', pod: 'p', endpoint: 'eth0' };
  for (const wrong of [{ node: '-n' }, { pod: 'p-' }, { endpoint: '' }, { pod: undefined }]) {
    assert.throws(() => workloadEndpointName({ ...identity, ...wrong }), RangeError);
  }
});

test("routerIdFromName() gives upstream's ids", () => {
  assert.equal(routerIdFromName('nodeTest'), '109.174.215.226');
  assert.equal(routerIdFromName('Testrobin123'), '207.94.5.27');
});

test("vxlanTunnelMac() gives upstream's addresses, another one for IPv6", () => {
  assert.equal(vxlanTunnelMac('remotehostname'), '66:3e:ca:a4:db:65');
  assert.match(vxlanTunnelMac('remotehostname', 6), /^66(:[0-9a-f]{2}){5}$/);
  assert.notEqual(vxlanTunnelMac('remotehostname', 6), vxlanTunnelMac('remotehostname'));
});
