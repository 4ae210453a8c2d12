import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress } from '@calico/ip';
import type { BGPPeer, WorkloadEndpoint } from './resources.ts';
import { isPeerOf, workloadPeeringAddresses, workloadPeersOf } from './workload_peers.ts';

const NODE = { name: 'a', labels: { rack: '1' } };
const peer = (spec: BGPPeer['spec']) => ({ metadata: { name: 'p' }, spec }) as BGPPeer;
const workload = (labels?: Record<string, string>) =>
  ({ metadata: { name: 'w', labels } }) as unknown as WorkloadEndpoint;

test('isPeerOf(): of the named node, of selected ones, of all', () => {
  const verdicts = [
    { node: 'a' },
    { node: 'b' },
    { nodeSelector: 'rack == "1"' },
    { nodeSelector: 'rack == "2"' },
    { node: '', nodeSelector: '' },
    {},
  ].map((spec) => isPeerOf(NODE, peer(spec)));
  assert.deepEqual(verdicts, [true, false, true, false, true, true]);
});

test('workloadPeersOf() selects by the labels of the endpoint', () => {
  assert.equal(workloadPeersOf(peer({ localWorkloadSelector: '' })), undefined);
  assert.equal(workloadPeersOf(peer({ peerIP: '192.0.2.1' })), undefined);
  const selects = workloadPeersOf(peer({ localWorkloadSelector: 'app == "router"' }));
  assert.equal(selects?.(workload({ app: 'router' })), true);
  assert.equal(selects?.(workload({ app: 'web' })), false);
  assert.equal(selects?.(workload()), false);
});

test('workloadPeeringAddresses(): none, or one per IP version', () => {
  assert.deepEqual(workloadPeeringAddresses({ localWorkloadPeeringIPV4: '' }), {
    4: undefined,
    6: undefined,
  });
  const { 4: v4, 6: v6 } = workloadPeeringAddresses({
    localWorkloadPeeringIPV4: '169.254.0.179',
    localWorkloadPeeringIPV6: 'fd00::179',
  });
  assert.deepEqual(
    [v4 && formatAddress(v4), v6 && formatAddress(v6)],
    ['169.254.0.179', 'fd00::179'],
  );
});
