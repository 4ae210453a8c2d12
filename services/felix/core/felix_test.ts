import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { parseResource } from '@calico/model';
import { FakeWorld, Killed } from './fake_world.ts';
import { ADD_STEPS, REMOVE_STEPS } from './steps.ts';
import { NOTHING_PARTICULAR, type Workload } from './workload.ts';
import type { CheckRequest } from './workload_check.ts';
import { WorkloadError, type WorkloadErrorKind } from './workload_error.ts';

const POD: Workload = {
  containerId: 'c1',
  interfaceName: 'eth0',
  netns: '/ns/a',
  network: 'net',
  namespace: 'default',
  pod: 'busybox-deploy-5c8bbcc5f7-ddmm9',
  ...NOTHING_PARTICULAR,
  labels: { app: 'busybox' },
};
const HOST = 'cali918b33f2bbe';
const CHECK: CheckRequest = { ...POD, expectedAddresses: [], expectedHostInterface: '' };

function pool(spec: Record<string, unknown> = {}, name = 'pool') {
  return parseResource({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name },
    spec: { cidr: '10.244.0.0/16', ...spec },
  });
}

function node(name: string, ipv4Address: string, spec: Record<string, unknown> = {}) {
  return parseResource({
    apiVersion: 'projectcalico.org/v3',
    kind: 'Node',
    metadata: { name },
    spec: { bgp: { ipv4Address }, ...spec },
  });
}

function world(poolSpec: Record<string, unknown> = {}): FakeWorld {
  const fresh = new FakeWorld();
  fresh.put(pool(poolSpec));
  fresh.put(node('n1', '192.168.80.101/24'));
  return fresh;
}

async function fails(
  promise: Promise<unknown>,
  kind: WorkloadErrorKind,
  pattern: RegExp,
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert(error instanceof WorkloadError, String(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, pattern);
    return true;
  });
}

test('add() connects a pod, DEL takes everything back', async () => {
  const w = world();
  const felix = w.start();
  const record = await w.settle(felix.actions.add(POD));
  assert.equal(record.hostInterface, HOST);
  assert.equal(record.mtu, 1500);
  assert.deepEqual(
    w.list('WorkloadEndpoint').map(({ metadata, spec }) => [metadata.name, spec.ipNetworks]),
    [['n1-k8s-busybox--deploy--5c8bbcc5f7--ddmm9-eth0', ['10.244.0.1/32']]],
  );
  assert.deepEqual([...w.routes.keys()], ['10.244.0.1/32 0']);
  assert.equal(w.policy?.localEndpoints.length, 1);
  felix.actions.check(CHECK);
  assert.deepEqual(felix.actions.info().workloads, 1);
  await w.pass(100);
  assert.deepEqual(
    w.reports.at(-1)?.endpoints.map(({ state }) => state),
    ['up'],
  );
  await w.settle(felix.actions.remove(POD));
  assert.deepEqual(w.leftovers(), []);
});

test('add() again answers the same and changes nothing', async () => {
  const w = world();
  const felix = w.start();
  const first = await w.settle(felix.actions.add(POD));
  const second = await w.settle(felix.actions.add(POD));
  assert.deepEqual(second, first);
  assert.equal(w.assigned.size, 1);
});

test('add() commits the policy before the interface exists', async () => {
  const w = world();
  const felix = w.start();
  w.policyFailure = 'no memory';
  await fails(w.settle(felix.actions.add(POD)), 'unavailable', /Cannot commit .*no memory/);
  assert.equal(w.devices.size, 0);
  w.policyFailure = undefined;
  await w.pass(5_000);
  assert.deepEqual(w.leftovers(), []);
});

for (const step of ADD_STEPS) {
  test(`a crash at ${step} leaves nothing, and repeating the call succeeds`, async () => {
    const w = world();
    await assert.rejects(w.settle(w.start(step).actions.add(POD)), Killed);
    // With the call repeated at once by the runtime.
    const felix = w.start();
    await w.settle(felix.actions.add(POD));
    felix.actions.check(CHECK);
    assert.equal(w.assigned.size, 1);
    await w.settle(felix.actions.remove(POD));
    assert.deepEqual(w.leftovers(), []);
  });

  test(`a crash at ${step} without a repeated call leaves nothing`, async () => {
    const w = world();
    await assert.rejects(w.settle(w.start(step).actions.add(POD)), Killed);
    const felix = w.start();
    await w.pass(5_000);
    // The last step is the only one after which the workload counts as added.
    if (step === 'add:recorded') felix.actions.check(CHECK);
    else assert.deepEqual(w.leftovers(), []);
  });
}

for (const step of REMOVE_STEPS) {
  test(`a crash at ${step} is finished after the restart`, async () => {
    const w = world();
    const first = w.start(step);
    await w.settle(first.actions.add(POD));
    await Promise.allSettled([w.settle(first.actions.remove(POD))]);
    const felix = w.start();
    await w.settle(felix.actions.remove(POD));
    await w.pass(5_000);
    assert.deepEqual(w.leftovers(), []);
  });
}

test('add() while ipam is away fails and leaves nothing', async () => {
  const w = world();
  const felix = w.start();
  w.isIpamUp = false;
  await fails(w.settle(felix.actions.add(POD)), 'unavailable', /ipam/);
  assert.equal(w.devices.size, 0);
  assert.deepEqual(w.list('WorkloadEndpoint'), []);
  w.isIpamUp = true;
  await w.pass(10_000);
  assert.deepEqual(w.leftovers(), []);
});

test('add() while api is away releases the address and leaves nothing', async () => {
  const w = world();
  const felix = w.start();
  w.isApiUp = false;
  await fails(w.settle(felix.actions.add(POD)), 'unavailable', /api/);
  assert.equal(w.devices.size, 0);
  w.isApiUp = true;
  await w.pass(10_000);
  assert.deepEqual(w.leftovers(), []);
});

test('remove() while ipam and api are away frees the node at once and the rest later', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  w.isIpamUp = false;
  w.isApiUp = false;
  await w.settle(felix.actions.remove(POD));
  assert.equal(w.devices.size, 0);
  assert.equal(w.policy?.localEndpoints.length, 0);
  assert.equal(w.assigned.size, 1);
  // Also when the process is restarted meanwhile.
  w.start();
  await w.pass(2_000);
  w.isApiUp = true;
  await w.pass(10_000);
  // The endpoint and its addresses go together.
  assert.deepEqual([w.list('WorkloadEndpoint').length, w.assigned.size], [1, 1]);
  w.isIpamUp = true;
  await w.pass(10_000);
  assert.deepEqual(w.leftovers(), []);
});

test('remove() forgets the connections of an address before the address can be used again', async () => {
  const w = world();
  const felix = w.start();
  const { addresses } = await w.settle(felix.actions.add(POD));
  w.isIpamUp = false;
  await w.settle(felix.actions.remove(POD));
  assert.equal(w.assigned.size, 1);
  assert.deepEqual(
    w.forgotten,
    addresses.map(({ address }) => address),
  );
});

test('remove() of what does not exist succeeds', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.remove(POD));
  assert.deepEqual(w.leftovers(), []);
});

test('remove() spares the endpoint and the device of another container', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.settle(felix.actions.remove({ ...POD, containerId: 'old', netns: '/ns/b' }));
  felix.actions.check(CHECK);
  assert.equal(w.list('WorkloadEndpoint').length, 1);
});

test('add() refuses a container under another pod, a taken host interface, a missing netns', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await fails(
    w.settle(felix.actions.add({ ...POD, pod: 'other' })),
    'precondition',
    /container "c1": it exists with pod "busybox/,
  );
  await fails(
    w.settle(felix.actions.add({ ...POD, containerId: 'c2', netns: '/ns/b' })),
    'precondition',
    /host interface "cali918b33f2bbe" belongs to "eth0" of container "c1"/,
  );
  await fails(
    w.settle(felix.actions.add({ ...POD, containerId: 'c3', pod: 'third', netns: '/ns/none' })),
    'precondition',
    /"\/ns\/none": it does not exist/,
  );
  felix.actions.check(CHECK);
  assert.equal(w.assigned.size, 1);
});

test('two add() calls for one pod at once: one wins, the other is refused', async () => {
  const w = world();
  const felix = w.start();
  const both = await w.settle(
    Promise.allSettled([
      felix.actions.add(POD),
      felix.actions.add({ ...POD, containerId: 'c2', netns: '/ns/b' }),
    ]),
  );
  assert.deepEqual(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  assert.equal(w.assigned.size, 1);
});

test('a container whose namespace is gone makes way for its successor', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  w.netns.delete('/ns/a');
  const next = { ...POD, containerId: 'c2', netns: '/ns/b' };
  await w.settle(felix.actions.add(next));
  await w.pass(10_000);
  felix.actions.check({ ...CHECK, ...next });
  assert.deepEqual([...w.assigned.keys()], ['net.c2']);
  assert.equal(w.list('WorkloadEndpoint')[0]?.spec.containerID, 'c2');
});

test('add() before the cluster is known fails after a while and leaves nothing', async () => {
  const w = world();
  w.isInSync = false;
  const felix = w.start();
  await fails(w.settle(felix.actions.add(POD)), 'unavailable', /not known yet/);
  assert.deepEqual(w.leftovers(), []);
});

test('a pool whose tunnel the kernel lacks is refused by name', async () => {
  const w = world({ ipipMode: 'Always' });
  w.missing.set('ipip', 'unknown device kind');
  const felix = w.start();
  await fails(
    w.settle(felix.actions.add(POD)),
    'precondition',
    /^pool pool: ipipMode Always needs the ipip module: unknown device kind$/,
  );
  await w.pass(100);
  assert.match(w.reports.at(-1)?.messages.join() ?? '', /pool pool: ipipMode Always needs/);
  assert.deepEqual(w.leftovers(), []);
  assert.match((await felix.actions.notReadyBecause()).join(), /ipip module/);
});

test('check() names what differs', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  const failing = (pattern: RegExp, request: Partial<CheckRequest> = {}): void => {
    assert.throws(
      () => felix.actions.check({ ...CHECK, ...request }),
      (error) => error instanceof WorkloadError && pattern.test(error.message),
    );
  };
  failing(/pod is ".*", not "x"/, { pod: 'x' });
  failing(/address "10.9.9.9\/32" is not assigned/, { expectedAddresses: ['10.9.9.9/32'] });
  failing(/host interface is "cali918b33f2bbe", not "caliX"/, { expectedHostInterface: 'caliX' });
  failing(/no such workload/, { containerId: 'nobody' });
  w.routes.clear();
  failing(/host route "10.244.0.1\/32 dev cali918b33f2bbe" is missing/);
  w.removeDevice(HOST);
  failing(/host interface "cali918b33f2bbe" does not exist/);
});

test('collectGarbage() removes what nobody claims, of its network only', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.settle(felix.actions.add({ ...POD, containerId: 'c2', pod: 'second', netns: '/ns/b' }));
  assert.deepEqual(await w.settle(felix.actions.collectGarbage('other', [])), []);
  const removed = await w.settle(
    felix.actions.collectGarbage('net', [{ containerId: 'c2', interfaceName: 'eth0' }]),
  );
  assert.deepEqual(removed, [{ containerId: 'c1', interfaceName: 'eth0' }]);
  assert.deepEqual([...w.assigned.keys()], ['net.c2']);
});

test('a restart changes nothing in the kernel', async () => {
  const w = world({ vxlanMode: 'Always' });
  w.put(node('n2', '192.168.80.102/24', { ipv4VXLANTunnelAddr: '10.244.9.0' }));
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.pass(1_000);
  felix.viewChanged(['Node']);
  await w.pass(1_000);
  assert.equal(w.tunnels.get('vxlan.calico')?.addresses.length, 1);
  w.kernelLog.length = 0;
  w.start();
  await w.pass(1_000);
  assert.deepEqual(w.kernelLog, []);
  assert.equal(w.devices.size, 1);
});

test('a start without the cluster keeps what is there and removes nothing', async () => {
  const w = world({ vxlanMode: 'Always' });
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.pass(1_000);
  const policy = w.policy;
  w.isInSync = false;
  w.kernelLog.length = 0;
  const second = w.start();
  await w.pass(1_000);
  assert.deepEqual(w.kernelLog, []);
  assert.equal(w.policy, policy);
  assert.equal(second.actions.info().workloads, 1);
});

test('what someone else removes comes back and is reported', async () => {
  const w = world({ vxlanMode: 'Always' });
  w.put(node('n2', '192.168.80.102/24', { ipv4VXLANTunnelAddr: '10.244.9.0' }));
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.pass(1_000);
  const before = [...w.routes.keys(), ...w.neighbours.keys(), ...w.fdb.keys()];
  w.routes.clear();
  w.neighbours.clear();
  w.removeDevice(HOST);
  felix.agent.kernelChanged();
  await w.pass(100);
  assert.deepEqual([...w.routes.keys(), ...w.neighbours.keys(), ...w.fdb.keys()], before);
  assert(w.devices.has(HOST));
  const messages = w.reports.at(-1)?.messages.join('\n') ?? '';
  assert.match(messages, /repaired: device cali918b33f2bbe had been removed/);
  assert.match(messages, /repaired: neighbour 10.244.9.0 dev vxlan.calico/);
});

test('an endpoint that the store lost is written again', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  w.forget('WorkloadEndpoint');
  w.revision += 10n;
  felix.viewChanged(['WorkloadEndpoint']);
  await w.pass(1_000);
  assert.equal(w.list('WorkloadEndpoint').length, 1);
});

test('the applied revision follows the view and waits for the packet filter', async () => {
  const w = world();
  const felix = w.start();
  await w.pass(1_000);
  assert.equal(w.reports.at(-1)?.appliedRevision, w.revision);
  w.policyFailure = 'busy';
  const before = w.revision;
  w.put(pool({ natOutgoing: true }));
  felix.viewChanged(['IPPool']);
  await w.pass(1_000);
  assert.equal(w.reports.at(-1)?.appliedRevision, before);
  assert.match(w.reports.at(-1)?.messages.join() ?? '', /packet filter up to date: busy/);
  w.policyFailure = undefined;
  await w.pass(5_000);
  assert.equal(w.reports.at(-1)?.appliedRevision, w.revision);
});

test('routes do not wait until connections have been looked at, the applied revision does', async () => {
  const w = world();
  const end = { source: parseAddress('10.0.0.1'), destination: parseAddress('10.0.0.2') };
  const tuple = { ...end, protocol: 6, ports: { source: 1, destination: 2 }, icmp: undefined };
  const entry = { original: tuple, reply: tuple, status: 0, mark: 0, zone: 0, id: 1 };
  w.connections = Array.from({ length: 25_000 }, () => entry);
  w.put(pool({ cidr: '10.245.0.0/16', vxlanMode: 'Always' }, 'overlay'));
  const wanted = w.revision;
  w.start();
  await w.pass(300);
  assert.equal(w.tunnels.size, 1);
  assert.equal(w.reports.at(-1)?.ready, true);
  assert.equal(w.reports.at(-1)?.appliedRevision, 0n);
  await w.pass(2_000);
  assert.equal(w.reports.at(-1)?.appliedRevision, wanted);
});

test('connections that cannot be listed are said, and looked at again', async () => {
  const w = world();
  w.connectionsFailure = 'ENOBUFS';
  w.start();
  await w.pass(1_000);
  assert.equal(w.reports.at(-1)?.appliedRevision, 0n);
  assert.match(w.reports.at(-1)?.messages.join() ?? '', /cannot cut connections: ENOBUFS/);
  w.connectionsFailure = undefined;
  await w.pass(5_000);
  assert.deepEqual(w.reports.at(-1)?.messages, []);
  assert.equal(w.reports.at(-1)?.appliedRevision, w.revision);
});

test('staged policies are reported as pending, and never enforced', async () => {
  const w = world();
  const felix = w.start();
  await w.pass(1_000);
  const staged = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'StagedGlobalNetworkPolicy',
    metadata: { name: 'deny' },
    spec: { types: ['Ingress'] },
  };
  w.put(parseResource(staged));
  felix.viewChanged(['StagedGlobalNetworkPolicy']);
  await w.pass(1_000);
  const { messages = [] } = w.reports.at(-1) ?? {};
  assert.deepEqual(messages, ['pending: 1 staged policies, not enforced']);
  assert.deepEqual(w.policy?.globalNetworkPolicies, []);
});

test('what is newly wanted does not wait for the retry of what failed', async () => {
  const w = world();
  const felix = w.start();
  await w.pass(1_000);
  w.policyFailure = 'busy';
  w.put(pool({ natOutgoing: true }));
  felix.viewChanged(['IPPool']);
  await w.pass(100);
  w.policyFailure = undefined;
  w.put(pool({ natOutgoing: false }));
  felix.viewChanged(['IPPool']);
  await w.pass(100);
  assert.equal(w.reports.at(-1)?.appliedRevision, w.revision);
});

test('an endpoint that an old backup of the store lacks is written again', async () => {
  const w = world();
  w.revision = 100n;
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.pass(1_000);
  w.forget('WorkloadEndpoint');
  w.revision = 50n;
  felix.viewChanged(['WorkloadEndpoint']);
  await w.pass(1_000);
  assert.equal(w.list('WorkloadEndpoint').length, 1);
});

test('an endpoint whose addresses were lost with it gets them back first', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  const [endpoint] = w.list('WorkloadEndpoint');
  w.assigned.clear();
  w.forget('WorkloadEndpoint');
  w.revision += 10n;
  felix.viewChanged(['WorkloadEndpoint']);
  await w.pass(1_000);
  const held = [...w.assigned.values()].flat().map(({ address }) => `${address}/32`);
  assert.deepEqual(held, endpoint?.spec.ipNetworks);
  assert.deepEqual(w.list('WorkloadEndpoint')[0]?.spec.ipNetworks, endpoint?.spec.ipNetworks);
});

test('an endpoint whose addresses are released before it is written is refused, and taken back', async () => {
  const w = world();
  const felix = w.start();
  // The node is declared gone while the pod's policy is committed.
  const released = { set: () => w.assigned.clear(), configurable: true };
  Object.defineProperty(w, 'policy', released);
  await assert.rejects(w.settle(felix.actions.add(POD)), /holds no addresses/);
  Object.defineProperty(w, 'policy', { value: undefined, writable: true });
  await w.pass(5_000);
  assert.deepEqual(w.leftovers(), []);
});

test('a start with more removals left than may be under way goes on', async () => {
  const w = world();
  w.isIpamUp = false;
  const first = w.start();
  for (let i = 0; i < 300; i++) {
    await w.settle(first.actions.remove({ ...POD, containerId: `old${i}`, pod: `old${i}` }));
  }
  first.stop();
  w.isIpamUp = true;
  w.start();
  await w.pass(60_000);
  assert.deepEqual(w.leftovers(), []);
});

test('a removal that always times out keeps no other one from its turn', async () => {
  const w = world();
  const felix = w.start();
  const later = { ...POD, containerId: 'c2', pod: 'other', netns: '/ns/b' };
  await w.settle(felix.actions.add(POD));
  const [stuck] = w.assigned.keys();
  await w.settle(felix.actions.add(later));
  w.isIpamUp = false;
  await w.settle(felix.actions.remove(POD));
  await w.settle(felix.actions.remove(later));
  w.isIpamUp = true;
  w.stuckHandle = stuck;
  await w.pass(30_000);
  assert.deepEqual([...w.assigned.keys()], [stuck]);
  w.stuckHandle = undefined;
  await w.pass(30_000);
  assert.deepEqual(w.leftovers(), []);
});
