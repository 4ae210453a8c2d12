import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownershipFaults } from './ownership.ts';
import { assignStep } from './programs/auto_assign.ts';
import { RecordMap } from './record_map.ts';
import { handleKey, workloadEndpointKey } from './records/keys.ts';
import { assignRequest } from './sample_requests.ts';

const NOW = 1_790_000_000_000;
const WORKLOAD = { namespace: 'default', name: 'n1-k8s-a-eth0', containerId: 'c1' };

function records(workload: typeof WORKLOAD | undefined, handleId = 'net.c1') {
  const map = new RecordMap();
  const resources = '/calico/resources/v3/projectcalico.org';
  map.put(`${resources}/nodes/n1`, '{}');
  map.put(`${resources}/ippools/p`, JSON.stringify({ spec: { cidr: '10.0.0.0/24' } }));
  const done = map.run(assignStep({ ...assignRequest('n1', handleId), workload }, NOW));
  return { map, address: done.addresses[0]?.address ?? '' };
}

function putEndpoint(map: RecordMap, containerID: string, address: string): void {
  const spec = { node: 'n1', containerID, ipNetworks: [`${address}/32`] };
  map.put(workloadEndpointKey(WORKLOAD.namespace, WORKLOAD.name), JSON.stringify({ spec }));
}

test('ownershipFaults() wants a record and an owner of every assigned address', () => {
  assert.deepEqual(ownershipFaults(records(WORKLOAD).map.values), []);
  assert.deepEqual(ownershipFaults(records(undefined, 'ipip-tunnel-addr-n1').map.values), []);
  assert.match(ownershipFaults(records(undefined).map.values).join(), /says of nobody/);
  const { map } = records(WORKLOAD);
  map.delete(handleKey('net.c1'));
  assert.match(ownershipFaults(map.values).join(), /has no record/);
});

test('ownershipFaults() wants the addresses of endpoints assigned to their containers', () => {
  const { map, address } = records(WORKLOAD);
  putEndpoint(map, 'c1', address);
  assert.deepEqual(ownershipFaults(map.values), []);
  putEndpoint(map, 'c2', address);
  assert.match(ownershipFaults(map.values).join(), /of c2 says/);
  putEndpoint(map, 'c1', '10.0.0.99');
  assert.match(ownershipFaults(map.values).join(), /says 10\.0\.0\.99: it is ""'s/);
});
