import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import {
  type AnyResource,
  type IPAMBlock,
  type IPPool,
  type Node,
  parseResource,
  vxlanTunnelMac,
} from '@calico/model';
import { planChanges } from './changes.ts';
import { type Dataplane, describeRoute, EMPTY_DATAPLANE } from './dataplane.ts';
import { computeOverlay, hostOfAffinity, type OverlayInputs } from './overlay.ts';
import { tunnelSettings, workloadMtu } from './tunnel_settings.ts';
import { NO_UPLINKS } from './uplinks.ts';

function resource(kind: string, name: string, spec: Record<string, unknown>): AnyResource {
  return parseResource({ apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec });
}

const pool = (spec: Record<string, unknown>): IPPool =>
  resource('IPPool', 'default-ipv4-ippool', { cidr: '10.244.0.0/16', ...spec }) as IPPool;

const poolV6 = (vxlanMode: string): IPPool =>
  resource('IPPool', 'v6', { cidr: 'fd00:10:244::/56', vxlanMode }) as IPPool;

const node = (name: string, address: string, vtep?: string): Node =>
  resource('Node', name, {
    bgp: { ipv4Address: address },
    ...(vtep === undefined ? {} : { ipv4VXLANTunnelAddr: vtep }),
  }) as Node;

/** With an address and a VXLAN device of each IP version. */
const dual = (name: string, subnet: number, host: number): Node =>
  resource('Node', name, {
    bgp: {
      ipv4Address: `192.168.${subnet}.${host}/24`,
      ipv6Address: `fd00:${subnet}::${host}/64`,
    },
    ipv4VXLANTunnelAddr: `10.244.${host}.0`,
    ipv6VXLANTunnelAddr: `fd00:10:244::${host}00`,
  }) as Node;

function block(cidr: string, owner: string | undefined, users: readonly string[] = []): IPAMBlock {
  const size = 64;
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPAMBlock',
    metadata: { name: cidr.replace(/[.:/]+/g, '-') },
    spec: {
      cidr,
      ...(owner === undefined ? {} : { affinity: `host:${owner}` }),
      allocations: Array.from({ length: size }, (_, i) => (i < users.length ? i : null)),
      unallocated: Array.from({ length: size - users.length }, (_, i) => i + users.length),
      attributes: users.map((user) => ({ handle_id: 'h', secondary: { node: user } })),
    },
  };
}

const NODES = [
  node('k8s-master', '192.168.80.100/24', '10.244.235.192'),
  node('k8s-node01', '192.168.80.101/24', '10.244.85.192'),
  node('k8s-node02', '192.168.80.102/24', '10.244.58.192'),
  node('far', '192.168.90.5/24', '10.244.7.0'),
];

const BLOCKS = [
  block('10.244.58.192/26', 'k8s-node02', ['k8s-node02']),
  block('10.244.85.192/26', 'k8s-node01', ['k8s-node01', 'k8s-master', 'k8s-node02']),
  block('10.244.7.0/26', 'far'),
];

function compute(mode: Record<string, unknown>, changes: Partial<OverlayInputs> = {}) {
  return computeOverlay({
    node: 'k8s-node02',
    pools: [pool(mode)],
    nodes: NODES,
    blocks: BLOCKS,
    uplinks: { 4: { device: 'ens33', mtu: 1500 }, 6: undefined },
    missing: new Map(),
    settings: tunnelSettings({}),
    ...changes,
  });
}

const described = (overlay: ReturnType<typeof compute>): string[] =>
  [...overlay.routes.values()].map(
    (route) => `${describeRoute(route)} proto ${route.protocol}${route.onlink ? ' onlink' : ''}`,
  );

test('computeOverlay() merges blocks that go to the same node in the same way', () => {
  const blocks = [
    block('10.244.1.64/26', 'far'),
    block('10.244.1.0/26', 'far'),
    block('10.244.1.128/26', 'k8s-node01', ['k8s-node01', 'far', 'far']),
    block('10.244.1.192/26', 'k8s-node02'),
  ];
  assert.deepEqual(described(compute({ vxlanMode: 'Always' }, { blocks })), [
    'route 10.244.1.0/25 via 10.244.7.0 dev vxlan.calico proto 80 onlink',
    'route 10.244.1.129/32 via 10.244.7.0 dev vxlan.calico proto 80 onlink',
    'route 10.244.1.130/32 via 10.244.7.0 dev vxlan.calico proto 80 onlink',
    'route 10.244.1.128/26 via 10.244.85.192 dev vxlan.calico proto 80 onlink',
  ]);
});

test('computeOverlay() VXLAN Always sends blocks and borrowed addresses through the tunnel', () => {
  const overlay = compute({ vxlanMode: 'Always' });
  assert.deepEqual(described(overlay), [
    'route 10.244.85.192/26 via 10.244.85.192 dev vxlan.calico proto 80 onlink',
    'route 10.244.85.193/32 via 10.244.235.192 dev vxlan.calico proto 80 onlink',
    'route 10.244.7.0/26 via 10.244.7.0 dev vxlan.calico proto 80 onlink',
  ]);
  const tunnel = overlay.tunnels.get('vxlan.calico');
  assert.equal(tunnel?.mtu, 1450);
  assert.equal(tunnel?.vxlan?.vni, 4096);
  assert.equal(tunnel?.vxlan?.parent, 'ens33');
  assert.equal(overlay.neighbours.size, 3);
  assert.equal(overlay.fdb.size, 3);
});

test('computeOverlay() VXLAN CrossSubnet goes native to neighbours, through the tunnel beyond', () => {
  assert.deepEqual(described(compute({ vxlanMode: 'CrossSubnet' })), [
    'route 10.244.85.192/26 via 192.168.80.101 dev ens33 proto 80',
    'route 10.244.85.193/32 via 192.168.80.100 dev ens33 proto 80',
    'route 10.244.7.0/26 via 10.244.7.0 dev vxlan.calico proto 80 onlink',
  ]);
});

test('computeOverlay() leaves native and IPIP routes to BGP', () => {
  const native = compute({});
  assert.deepEqual([native.routes.size, native.tunnels.size], [0, 0]);
  const ipip = compute({ ipipMode: 'Always' });
  assert.equal(ipip.routes.size, 0);
  assert.deepEqual([...ipip.tunnels.keys()], ['tunl0']);
  assert.equal(ipip.tunnels.get('tunl0')?.mtu, 1480);
});

test('computeOverlay() makes no device that the kernel lacks, and no route through it', () => {
  const overlay = compute({ vxlanMode: 'Always' }, { missing: new Map([['vxlan', 'none']]) });
  assert.deepEqual([overlay.routes.size, overlay.tunnels.size], [0, 0]);
});

test('computeOverlay() waits for the node, its uplink and the remote tunnel address', () => {
  assert.equal(compute({ vxlanMode: 'Always' }, { uplinks: NO_UPLINKS }).tunnels.size, 0);
  assert.equal(compute({ vxlanMode: 'Always' }, { node: 'unknown' }).tunnels.size, 0);
  const nodes = [...NODES.slice(1), node('k8s-master', '192.168.80.100/24')];
  const overlay = compute({ vxlanMode: 'Always' }, { nodes });
  assert.equal(overlay.routes.size, 2);
  assert.equal(overlay.neighbours.size, 2);
});

test('computeOverlay() does not route an address that cools down', () => {
  const cooling = block('10.244.85.192/26', 'k8s-node01', ['k8s-master']);
  const attributes = [{ secondary: { node: 'k8s-master' }, releasedAt: '2026-01-01T00:00:00Z' }];
  const blocks = [{ ...cooling, spec: { ...cooling.spec, attributes } }];
  assert.equal(compute({ vxlanMode: 'Always' }, { blocks }).routes.size, 1);
});

const UPLINK_V6 = { device: 'eth1', mtu: 1500 };
const V6 = {
  node: 'a',
  nodes: [dual('a', 80, 1), dual('b', 80, 2), dual('c', 81, 3)],
  blocks: [
    block('fd00:10:244::100/122', 'a', ['a']),
    block('fd00:10:244::200/122', 'b', ['b', 'b', 'c']),
    block('fd00:10:244::300/122', 'c', ['c']),
    block('10.244.2.0/26', 'b', ['b']),
  ],
  uplinks: { 4: { device: 'ens33', mtu: 1500 }, 6: UPLINK_V6 },
};
/** Of each VTEP: the kernel wants them for IPv6. */
const VTEPS = [
  'route fd00:10:244::200/128 dev vxlan-v6.calico proto 80',
  'route fd00:10:244::300/128 dev vxlan-v6.calico proto 80',
];

test('computeOverlay() has a VXLAN of its own for IPv6 pools', () => {
  const overlay = compute({}, { ...V6, pools: [poolV6('Always')] });
  assert.deepEqual(described(overlay), [
    ...VTEPS,
    'route fd00:10:244::200/122 via fd00:10:244::200 dev vxlan-v6.calico proto 80 onlink',
    'route fd00:10:244::202/128 via fd00:10:244::300 dev vxlan-v6.calico proto 80 onlink',
    'route fd00:10:244::300/122 via fd00:10:244::300 dev vxlan-v6.calico proto 80 onlink',
  ]);
  assert.deepEqual([...overlay.tunnels.keys()], ['vxlan-v6.calico']);
  const tunnel = overlay.tunnels.get('vxlan-v6.calico');
  assert.deepEqual(tunnel, {
    name: 'vxlan-v6.calico',
    mtu: 1430,
    address: parseAddress('fd00:10:244::100'),
    vxlan: {
      vni: 4096,
      port: 4789,
      local: parseAddress('fd00:80::1'),
      parent: 'eth1',
      mac: vxlanTunnelMac('a', 6),
    },
  });
  const mac = vxlanTunnelMac('b', 6);
  const device = 'vxlan-v6.calico';
  const [neighbour] = overlay.neighbours.values();
  assert.deepEqual(neighbour, { device, address: parseAddress('fd00:10:244::200'), mac });
  const [entry] = overlay.fdb.values();
  assert.deepEqual(entry, { device, mac, destination: parseAddress('fd00:80::2') });
});

test('computeOverlay() CrossSubnet goes by the IPv6 subnets, whatever IPv4 does beside it', () => {
  const pools = [pool({ vxlanMode: 'Always' }), poolV6('CrossSubnet')];
  const overlay = compute({}, { ...V6, pools });
  assert.deepEqual(described(overlay), [
    'route 10.244.2.0/26 via 10.244.2.0 dev vxlan.calico proto 80 onlink',
    ...VTEPS,
    'route fd00:10:244::200/122 via fd00:80::2 dev eth1 proto 80',
    'route fd00:10:244::202/128 via fd00:10:244::300 dev vxlan-v6.calico proto 80 onlink',
    'route fd00:10:244::300/122 via fd00:10:244::300 dev vxlan-v6.calico proto 80 onlink',
  ]);
  assert.deepEqual([...overlay.tunnels.keys()], ['vxlan.calico', 'vxlan-v6.calico']);
  assert.deepEqual([overlay.neighbours.size, overlay.fdb.size], [4, 4]);
});

test('computeOverlay() routes a tunnel address out of a block of another node once', () => {
  const blocks = [block('fd00:10:244::300/122', 'b', ['c'])];
  const overlay = compute({}, { ...V6, blocks, pools: [poolV6('Always')] });
  assert.deepEqual(described(overlay), [
    ...VTEPS,
    'route fd00:10:244::300/122 via fd00:10:244::200 dev vxlan-v6.calico proto 80 onlink',
  ]);
});

test('the way to an IPv6 tunnel address is there before the routes through it', () => {
  const overlay = compute({}, { ...V6, pools: [poolV6('Always')] });
  const desired: Dataplane = { ...EMPTY_DATAPLANE, ...overlay };
  const order = planChanges(
    desired,
    { ...EMPTY_DATAPLANE, tunnels: new Map() },
    { prune: true },
  ).flatMap((change) => (change.kind === 'route-put' ? [change.route.gateway === undefined] : []));
  assert.deepEqual(order, [true, true, false, false, false]);
});

test('computeOverlay() without an IPv6 address of the node or the kernel has no VXLAN for IPv6', () => {
  const pools = [poolV6('Always')];
  for (const changes of [
    { nodes: [node('a', '192.168.80.1/24'), ...V6.nodes.slice(1)] },
    { uplinks: { ...V6.uplinks, 6: undefined } },
    { missing: new Map([['vxlan', 'none'] as const]) },
  ]) {
    const { tunnels, routes, neighbours, fdb } = compute({}, { ...V6, pools, ...changes });
    assert.deepEqual([tunnels.size, routes.size, neighbours.size, fdb.size], [0, 0, 0, 0]);
  }
});

test('computeOverlay() has no VXLAN for IPv6 where the underlay is too small, and keeps native routes', () => {
  const uplinks = { ...V6.uplinks, 6: { device: 'eth1', mtu: 1349 } };
  const overlay = compute({}, { ...V6, uplinks, pools: [poolV6('CrossSubnet')] });
  assert.deepEqual([...overlay.tunnels.keys()], []);
  assert.deepEqual(described(overlay), [
    'route fd00:10:244::200/122 via fd00:80::2 dev eth1 proto 80',
  ]);
});

test('hostOfAffinity() reads only hosts', () => {
  assert.equal(hostOfAffinity('host:a'), 'a');
  assert.equal(hostOfAffinity('virtual:load-balancer'), undefined);
  assert.equal(hostOfAffinity(undefined), undefined);
});

test('FelixConfiguration sets VNI, port and MTU of the tunnels', () => {
  const settings = tunnelSettings({
    vxlanVNI: 7,
    vxlanPort: 8472,
    vxlanMTU: 1300,
    vxlanMTUV6: 1290,
    ipipMTU: 1310,
  });
  const tunnel = compute({ vxlanMode: 'Always' }, { settings }).tunnels.get('vxlan.calico');
  assert.deepEqual([tunnel?.mtu, tunnel?.vxlan?.vni, tunnel?.vxlan?.port], [1300, 7, 8472]);
  assert.equal(compute({ ipipMode: 'Always' }, { settings }).tunnels.get('tunl0')?.mtu, 1310);
  const pools = [poolV6('Always')];
  const tunnelV6 = compute({}, { ...V6, pools, settings }).tunnels.get('vxlan-v6.calico');
  assert.deepEqual([tunnelV6?.mtu, tunnelV6?.vxlan?.vni, tunnelV6?.vxlan?.port], [1290, 7, 8472]);
  assert.equal(workloadMtu(pool({ vxlanMode: 'CrossSubnet' }), settings, 1500), 1300);
  assert.equal(workloadMtu(poolV6('Always'), settings, 1500), 1290);
  assert.equal(workloadMtu(poolV6('Always'), tunnelSettings({ vxlanMTU: 1300 }), 1500), 1430);
  assert.equal(workloadMtu(pool({ ipipMode: 'Always' }), settings, 1500), 1310);
  assert.equal(workloadMtu(pool({}), settings, 1500), 1500);
  assert.equal(workloadMtu(pool({ ipipMode: 'Always' }), tunnelSettings({}), 1400), 1380);
});
