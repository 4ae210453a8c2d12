import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tunnel } from '@calico/proto/ipam/v1/node_addresses';
import { type RpcCode, RpcError } from '@calico/rpc';
import type { Workload } from '../core/workload.ts';
import { WorkloadError } from '../core/workload_error.ts';
import { IpamClient } from './ipam_client.ts';

type Remote = ConstructorParameters<typeof IpamClient>[0];
type OwnRemote = ConstructorParameters<typeof IpamClient>[1];

const WORKLOAD: Workload = {
  containerId: 'c1',
  interfaceName: 'eth0',
  netns: '/ns',
  network: 'net',
  namespace: 'default',
  pod: 'p',
  labels: {},
  serviceAccount: '',
  ports: [],
  ipv4Pools: ['pool'],
  ipv6Pools: [],
  requestedAddresses: [],
  mtu: 0,
  ipv4: true,
  ipv6: false,
};
const ASSIGNED = { address: '10.0.0.1', block: '10.0.0.0/26', pool: 'pool' };

/** A client whose unlisted methods fail the test. */
function client(
  methods: Record<string, (request: Record<string, unknown>) => unknown>,
): IpamClient {
  const remote = new Proxy(
    {},
    {
      get: (_, name: string) => async (request: Record<string, unknown>) => {
        const method = methods[name];
        assert(method, `unexpected call of ${name}`);
        return method(request);
      },
    },
  );
  return new IpamClient(remote as Remote, remote as OwnRemote, 'n1', () => Date.UTC(2026, 0, 1));
}

const taken = (): never => fail('ALREADY_EXISTS', 'address 10.0.0.1 is taken');

function fail(code: RpcCode, message = code as string): never {
  throw new RpcError(code, message);
}

async function kindOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'ok';
  } catch (cause) {
    assert(cause instanceof WorkloadError, String(cause));
    return cause.kind;
  }
}

test('assign() asks for one IPv4 address with the owner as attributes', async () => {
  let asked: Record<string, unknown> = {};
  const ipam = client({
    autoAssign: (request) => {
      asked = request;
      return { addresses: [ASSIGNED], shortfall: '' };
    },
  });
  assert.deepEqual(await ipam.assign({ handle: 'net.c1', workload: WORKLOAD }), [ASSIGNED]);
  assert.deepEqual(
    [asked['node'], asked['handleId'], asked['ipv4Count'], asked['ipv6Count'], asked['ipv4Pools']],
    ['n1', 'net.c1', 1, 0, ['pool']],
  );
  assert.deepEqual(asked['owner'], {
    namespace: 'default',
    name: 'n1-k8s-p-eth0',
    containerId: 'c1',
  });
  assert.deepEqual(asked['attributes'], {
    pod: 'p',
    namespace: 'default',
    node: 'n1',
    timestamp: '2026-01-01T00:00:00.000Z',
  });
});

test('assign() turns answers and failures into kinds', async () => {
  const cases: readonly [() => unknown, string][] = [
    [
      () => ({ addresses: [], shortfall: 'Assigned 0 out of 1 requested IPv4 addresses' }),
      'exhausted',
    ],
    [() => ({ addresses: [], shortfall: '' }), 'exhausted'],
    [() => fail('UNAVAILABLE'), 'unavailable'],
    [() => fail('DEADLINE_EXCEEDED'), 'unavailable'],
    [() => fail('INTERNAL'), 'unavailable'],
    [() => fail('NOT_FOUND'), 'invalid'],
    [() => fail('INVALID_ARGUMENT'), 'invalid'],
    [() => fail('RESOURCE_EXHAUSTED'), 'exhausted'],
    [() => fail('FAILED_PRECONDITION'), 'precondition'],
  ];
  for (const [answer, kind] of cases) {
    const ipam = client({ autoAssign: answer });
    assert.equal(await kindOf(ipam.assign({ handle: 'h', workload: WORKLOAD })), kind);
  }
});

test('assign() of a requested address accepts what the handle holds already, not what another holds', async () => {
  const workload = { ...WORKLOAD, requestedAddresses: ['10.0.0.1'] };
  const own = client({ assignIp: taken, ipsByHandle: () => ({ addresses: [ASSIGNED] }) });
  assert.deepEqual(await own.assign({ handle: 'h', workload }), [ASSIGNED]);
  const others = client({ assignIp: taken, ipsByHandle: () => ({ addresses: [] }) });
  assert.equal(await kindOf(others.assign({ handle: 'h', workload })), 'precondition');
});

test('the address of a tunnel is asked for by its kind, and given back', async () => {
  const asked: unknown[] = [];
  const ipam = client({
    assignTunnelAddress: (request) => {
      asked.push(request);
      return { address: '10.244.0.1' };
    },
    releaseTunnelAddress: (request) => {
      asked.push(request);
      return { released: [] };
    },
  });
  assert.equal(await ipam.assignTunnel('ipip'), '10.244.0.1');
  await ipam.releaseTunnel('vxlan');
  await ipam.releaseTunnel('vxlan-v6');
  assert.deepEqual(asked, [
    { node: 'n1', tunnel: Tunnel.IPIP },
    { node: 'n1', tunnel: Tunnel.VXLAN },
    { node: 'n1', tunnel: Tunnel.VXLAN_V6 },
  ]);
  const away = client({ assignTunnelAddress: () => fail('UNAVAILABLE') });
  assert.equal(await kindOf(away.assignTunnel('vxlan')), 'unavailable');
});

test('releaseWorkload() names the endpoint, and says when ipam did not look at it', async () => {
  const seen: unknown[] = [];
  const answers = [{ released: [], ownerRevision: 7n }, { released: [] }];
  const ipam = client({
    releaseByHandle: (request: unknown) => {
      seen.push(request);
      return answers.shift();
    },
  });
  const endpoint = { namespace: 'default', name: 'e', containerId: 'c' };
  assert.equal(await ipam.releaseWorkload({ handle: 'h', endpoint, isInDoubt: false }), 7n);
  const bare = { handle: 'h', endpoint: undefined, isInDoubt: true };
  assert.equal(await ipam.releaseWorkload(bare), undefined);
  assert.deepEqual(seen, [
    { handleId: 'h', owner: endpoint, fence: false },
    { handleId: 'h', fence: true },
  ]);
});
