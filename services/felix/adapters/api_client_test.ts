import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RpcError } from '@calico/rpc';
import { ApiClient } from './api_client.ts';

type Remote = ConstructorParameters<typeof ApiClient>[0];

const ID = { namespace: 'default', name: 'n1-k8s-p-eth0', containerId: 'c1' };

function stored(containerID: string, revision: bigint) {
  const json = JSON.stringify({
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: ID.name, namespace: ID.namespace },
    spec: { node: 'n1', orchestrator: 'k8s', pod: 'p', endpoint: 'eth0', containerID },
  });
  return { resource: { kind: 'WorkloadEndpoint', json, revision } };
}

test('writeEndpoint() names the handle that must hold the addresses', async () => {
  const asked: unknown[] = [];
  const client = new ApiClient({
    apply: async ({ ipamHandle }: { ipamHandle: string }) => {
      asked.push(ipamHandle);
      return { resource: { revision: 9n } };
    },
  } as unknown as Remote);
  const endpoint = JSON.parse(stored('c1', 0n).resource.json);
  assert.equal(await client.writeEndpoint(endpoint, 'net.c1'), 9n);
  await client.writeEndpoint(endpoint);
  assert.deepEqual(asked, ['net.c1', '']);
});

test('removeEndpoint() deletes the revision that it has seen', async () => {
  const deleted: unknown[] = [];
  const client = new ApiClient({
    get: async () => stored('c1', 7n),
    delete: async (request: { revision: bigint }) => {
      deleted.push(request.revision);
      return { revision: 8n };
    },
  } as unknown as Remote);
  assert.equal(await client.removeEndpoint(ID), 8n);
  assert.deepEqual(deleted, [7n]);
});

test('removeEndpoint() spares the endpoint of another container', async () => {
  const client = new ApiClient({ get: async () => stored('other', 7n) } as unknown as Remote);
  assert.equal(await client.removeEndpoint(ID), undefined);
});

test('removeEndpoint() looks again when the endpoint changed meanwhile', async () => {
  let reads = 0;
  const client = new ApiClient({
    get: async () => stored(++reads === 1 ? 'c1' : 'successor', 7n),
    delete: async () => {
      throw new RpcError('ABORTED', 'not the current revision');
    },
  } as unknown as Remote);
  assert.equal(await client.removeEndpoint(ID), undefined);
  assert.equal(reads, 2);
});

test('removeEndpoint() of what does not exist is fine', async () => {
  const client = new ApiClient({
    get: async () => {
      throw new RpcError('NOT_FOUND', 'no');
    },
  } as unknown as Remote);
  assert.equal(await client.removeEndpoint(ID), undefined);
});

test('patchNode() names only what changes, null takes away', async () => {
  const patches: string[] = [];
  const client = new ApiClient({
    patch: async ({ patch }: { patch: string }) => {
      patches.push(patch);
      return {};
    },
  } as unknown as Remote);
  await client.patchNode('n1', { ipv6VXLANTunnelAddr: 'fd00::1', vxlanTunnelMACAddrV6: '66:00' });
  await client.patchNode('n1', { bgp: { ipv4IPIPTunnelAddr: null } });
  assert.deepEqual(patches, [
    '{"spec":{"ipv6VXLANTunnelAddr":"fd00::1","vxlanTunnelMACAddrV6":"66:00"}}',
    '{"spec":{"bgp":{"ipv4IPIPTunnelAddr":null}}}',
  ]);
});
