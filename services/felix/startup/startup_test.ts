import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { type Address, parseAddress, parseInterfaceAddress } from '@calico/ip';
import { type AnyResource, type IPPool, type Kind, type Node, parseResource } from '@calico/model';
import { type Environment, readSettings } from '@calico/process';
import { type RpcCode, RpcError } from '@calico/rpc';
import type { NodeInterface } from '../core/node_address/detect_address.ts';
import type { ClusterStore } from './cluster_store.ts';
import { AddressError } from './node_address.ts';
import { settings } from './settings.ts';
import { startUp } from './startup.ts';

/** Keeps documents as the api does: validated, with revisions. */
class FakeStore implements ClusterStore {
  readonly documents = new Map<string, AnyResource>();
  readonly writes: string[] = [];
  /** Thrown by the next calls, in order; undefined lets one pass. */
  readonly failures: (RpcCode | undefined)[] = [];
  #revision = 1;

  async get(kind: Kind, name: string) {
    this.#fail();
    return this.documents.get(`${kind}/${name}`) as never;
  }

  async list(kind: Kind) {
    this.#fail();
    return [...this.documents.values()].filter((each) => each.kind === kind) as never;
  }

  async create(resource: AnyResource): Promise<void> {
    this.#fail();
    if (this.documents.has(keyOf(resource))) throw new RpcError('ALREADY_EXISTS', 'exists');
    this.put(resource);
    this.writes.push(`create ${keyOf(resource)}`);
  }

  async replace(resource: AnyResource): Promise<void> {
    this.#fail();
    const stored = this.documents.get(keyOf(resource));
    if (stored?.metadata.resourceVersion !== resource.metadata.resourceVersion) {
      throw new RpcError('ABORTED', 'changed');
    }
    this.put(resource);
    this.writes.push(`replace ${keyOf(resource)}`);
  }

  put(resource: object): void {
    const parsed = parseResource(structuredClone(resource));
    const metadata = { ...parsed.metadata, resourceVersion: String(this.#revision++) };
    this.documents.set(keyOf(parsed), { ...parsed, metadata });
  }

  spec(key: string): Record<string, unknown> {
    return this.documents.get(key)?.spec as Record<string, unknown>;
  }

  #fail(): void {
    const code = this.failures.shift();
    if (code) throw new RpcError(code, `${code} on purpose`);
  }
}

function keyOf({ kind, metadata }: AnyResource): string {
  return `${kind}/${metadata.name}`;
}

function link(name: string, ...cidrs: string[]): NodeInterface {
  const addresses = cidrs.map((cidr) => {
    const { address, prefix } = parseInterfaceAddress(cidr);
    return { address, prefixLength: prefix.length };
  });
  return { name, up: true, addresses };
}

const ENS33 = link('ens33', '192.168.80.102/24', 'fd00::102/64');
const ENS34 = link('ens34', '10.0.0.5/8');

async function run(
  environment: Environment,
  store = new FakeStore(),
  interfaces: readonly NodeInterface[] = [link('lo', '127.0.0.1/8'), ENS33],
  source?: Address,
): Promise<{ store: FakeStore; log: string[] }> {
  const log: string[] = [];
  const clock = new FakeClock();
  const config = readSettings(settings, { CALICO_NODENAME: 'k8s-node02', ...environment });
  const write = (message: string, fields?: object): void => {
    log.push(`${message} ${JSON.stringify(fields)}`);
  };
  const logger = {
    debug: write,
    info: write,
    warn: write,
    error: write,
    child: () => logger,
  };
  const ticking = setInterval(() => clock.advance(1000), 1);
  try {
    await startUp({
      config,
      machine: { interfaces, routeSource: async () => () => source },
      store,
      patience: { clock, logger, signal: new AbortController().signal, jitter: () => 1 },
      version: '1.2.3',
      newGuid: () => 'f'.repeat(32),
    });
  } finally {
    clearInterval(ticking);
  }
  return { store, log };
}

const POOL: IPPool['spec'] & Record<string, unknown> = {
  cidr: '10.244.0.0/16',
  ipipMode: 'Always',
  vxlanMode: 'Never',
  natOutgoing: true,
  disabled: false,
  disableBGPExport: false,
  blockSize: 26,
  nodeSelector: 'all()',
  allowedUses: ['Workload', 'Tunnel'],
  assignmentMode: 'Automatic',
};

test('a first node of a new cluster gets its Node, the pool and the cluster its identity', async () => {
  const { store } = await run({
    CALICO_IPV4POOL_CIDR: '10.244.0.0/16',
    AS: '64512',
    CLUSTER_TYPE: 'k8s,bgp',
    CALICO_K8S_NODE_REF: 'node02.example.org',
  });
  assert.deepEqual(store.spec('Node/k8s-node02'), {
    bgp: { ipv4Address: '192.168.80.102/24', asNumber: 64_512 },
    addresses: [{ address: '192.168.80.102/24', type: 'CalicoNodeIP' }],
    orchRefs: [{ orchestrator: 'k8s', nodeName: 'node02.example.org' }],
  });
  assert.deepEqual(store.spec('IPPool/default-ipv4-ippool'), POOL);
  assert.deepEqual(store.spec('ClusterInformation/default'), {
    clusterGUID: 'f'.repeat(32),
    calicoVersion: '1.2.3',
    clusterType: 'k8s,bgp',
    datastoreReady: true,
  });
});

test('a second start writes nothing', async () => {
  const { store } = await run({ IP: 'autodetect' });
  store.writes.length = 0;
  await run({ IP: 'autodetect' }, store);
  assert.deepEqual(store.writes, []);
});

test('what others wrote into the Node and the cluster is kept', async () => {
  const store = new FakeStore();
  store.put({
    apiVersion: 'projectcalico.org/v3',
    kind: 'Node',
    metadata: { name: 'k8s-node02', labels: { rack: 'a' } },
    spec: {
      bgp: { ipv4Address: '192.168.80.9/24', routeReflectorClusterID: '1.0.0.1', asNumber: 65_000 },
      ipv4VXLANTunnelAddr: '10.244.58.192',
      addresses: [
        { address: '192.168.80.9/24', type: 'CalicoNodeIP' },
        { address: '192.168.80.102', type: 'InternalIP' },
      ],
    },
  });
  store.put({
    apiVersion: 'projectcalico.org/v3',
    kind: 'ClusterInformation',
    metadata: { name: 'default' },
    spec: { clusterGUID: 'old', clusterType: 'typha', datastoreReady: false },
  });
  await run({ IP: '192.168.80.102', CLUSTER_TYPE: 'bgp,typha', NO_DEFAULT_POOLS: 'true' }, store);
  assert.deepEqual(store.spec('Node/k8s-node02'), {
    bgp: { routeReflectorClusterID: '1.0.0.1', asNumber: 65_000, ipv4Address: '192.168.80.102/24' },
    ipv4VXLANTunnelAddr: '10.244.58.192',
    addresses: [
      { address: '192.168.80.102/24', type: 'CalicoNodeIP' },
      { address: '192.168.80.102', type: 'InternalIP' },
    ],
  });
  assert.deepEqual(store.documents.get('Node/k8s-node02')?.metadata.labels, { rack: 'a' });
  assert.deepEqual(store.spec('ClusterInformation/default'), {
    clusterGUID: 'old',
    clusterType: 'typha,bgp',
    calicoVersion: '1.2.3',
    datastoreReady: false,
  });
  assert.equal(store.documents.has('IPPool/default-ipv4-ippool'), false);
});

test('without IP the stored address stays; with autodetect it is looked for again', async () => {
  const { store } = await run({ IP: '192.168.80.102/25' });
  const address = (): unknown =>
    (store.documents.get('Node/k8s-node02') as Node).spec.bgp?.ipv4Address;
  await run({}, store);
  assert.equal(address(), '192.168.80.102/25');
  await run({ IP: 'autodetect' }, store);
  assert.equal(address(), '192.168.80.102/24');
});

test('two addresses that are equally good are refused, with the variables that decide', async () => {
  const store = new FakeStore();
  await assert.rejects(run({ IP: 'autodetect' }, store, [ENS33, ENS34]), (error) => {
    assert.ok(error instanceof AddressError);
    assert.match(error.message, /ens33 192.168.80.102\/24, ens34 10.0.0.5\/8 are equally good/);
    assert.match(error.message, /Set IP_AUTODETECTION_METHOD, or IP to the address itself$/);
    return true;
  });
  assert.deepEqual(store.writes, []);
});

async function chosen(method: string, more: Environment = {}): Promise<unknown> {
  const environment = { IP: 'autodetect', IP_AUTODETECTION_METHOD: method, ...more };
  const source = parseAddress('10.0.0.5');
  const { store } = await run(environment, new FakeStore(), [ENS33, ENS34], source);
  return (store.documents.get('Node/k8s-node02') as Node).spec.bgp?.ipv4Address;
}

test('each detection method chooses', async () => {
  assert.equal(await chosen('interface=ens33'), '192.168.80.102/24');
  assert.equal(await chosen('skip-interface=ens33'), '10.0.0.5/8');
  assert.equal(await chosen('cidr=192.168.0.0/16'), '192.168.80.102/24');
  assert.equal(await chosen('can-reach=8.8.8.8'), '10.0.0.5/8');
  const internal = { KUBERNETES_INTERNAL_IP: '10.0.0.5' };
  assert.equal(await chosen('kubernetes-internal-ip', internal), '10.0.0.5/8');
});

test('IPv6 is looked for when asked for, and a node needs an address of one family', async () => {
  const { store } = await run({ IP: 'none', IP6: 'autodetect' });
  assert.deepEqual(store.spec('Node/k8s-node02')['bgp'], { ipv6Address: 'fd00::102/64' });
  assert.equal(store.documents.has('IPPool/default-ipv4-ippool'), false);
  await assert.rejects(run({ IP: 'none' }), AddressError);
});

test('an address that another node has is refused', async () => {
  const { store } = await run({});
  await assert.rejects(
    run({ CALICO_NODENAME: 'k8s-node01' }, store),
    /address "192.168.80.102" for node "k8s-node01": node "k8s-node02" has it/,
  );
});

test('the default pool avoids the addresses of the host, and VXLAN replaces IPIP', async () => {
  const { store } = await run({
    CALICO_IPV4POOL_VXLAN: 'crosssubnet',
    CALICO_IPV4POOL_NAT_OUTGOING: 'false',
    CALICO_IPV4POOL_NODE_SELECTOR: "rack == 'a'",
    CALICO_IPV4POOL_BLOCK_SIZE: '28',
  });
  assert.deepEqual(store.spec('IPPool/default-ipv4-ippool'), {
    ...POOL,
    cidr: '172.16.0.0/16',
    ipipMode: 'Never',
    vxlanMode: 'CrossSubnet',
    natOutgoing: false,
    nodeSelector: "rack == 'a'",
    blockSize: 28,
  });
});

test('no pool is created where there is one, or where another node was faster', async () => {
  const store = new FakeStore();
  store.put({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'mine' },
    spec: { cidr: '10.1.0.0/16' },
  });
  await run({}, store);
  assert.equal(store.documents.has('IPPool/default-ipv4-ippool'), false);
  const other = new FakeStore();
  // Cluster information, node, other nodes, node, pools: each read, the first two written.
  const passing = Array.from({ length: 7 }, () => undefined);
  other.failures.push(...passing, 'ALREADY_EXISTS');
  const { log } = await run({}, other);
  assert.ok(!log.some((line) => line.startsWith('created the default pool')));
});

test('an api that is away is waited for, and that is told', async () => {
  const store = new FakeStore();
  store.failures.push(...Array.from({ length: 12 }, () => 'UNAVAILABLE' as const));
  const { log } = await run({}, store);
  const waiting = log.filter((line) => line.startsWith('waiting for the api'));
  assert.ok(waiting.length >= 2 && waiting.length < 12, waiting.join('\n'));
  assert.ok(log.some((line) => line.startsWith('the api answers')));
  assert.ok(log.at(-1)?.startsWith('the node is ready to start'));
});

test('a write that lost a race is repeated, another refusal is not', async () => {
  const store = new FakeStore();
  // The cluster information is read, and its creation loses.
  store.failures.push(undefined, 'ALREADY_EXISTS');
  await run({}, store);
  assert.ok(store.documents.has('ClusterInformation/default'));
  store.failures.push('PERMISSION_DENIED');
  await assert.rejects(run({}, store), RpcError);
});
