import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AnyResource,
  type IPAMBlock,
  type IPPool,
  type Node,
  parseResource,
} from '@calico/model';
import { describeRoute } from './dataplane.ts';
import { computeOverlay, hostOfAffinity, type OverlayInputs } from './overlay.ts';
import { tunnelSettings, workloadMtu } from './tunnel_settings.ts';

function resource(kind: string, name: string, spec: Record<string, unknown>): AnyResource {
  return parseResource({ apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec });
}

const pool = (spec: Record<string, unknown>): IPPool =>
  resource('IPPool', 'default-ipv4-ippool', { cidr: '10.244.0.0/16', ...spec }) as IPPool;

const node = (name: string, address: string, vtep?: string): Node =>
  resource('Node', name, {
    bgp: { ipv4Address: address },
    ...(vtep === undefined ? {} : { ipv4VXLANTunnelAddr: vtep }),
  }) as Node;

function block(cidr: string, owner: string | undefined, users: readonly string[] = []): IPAMBlock {
  const size = 64;
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPAMBlock',
    metadata: { name: cidr.replace(/[./]/g, '-') },
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
    uplink: { device: 'ens33', mtu: 1500 },
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
  assert.equal(compute({ vxlanMode: 'Always' }, { uplink: undefined }).tunnels.size, 0);
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

test('hostOfAffinity() reads only hosts', () => {
  assert.equal(hostOfAffinity('host:a'), 'a');
  assert.equal(hostOfAffinity('virtual:load-balancer'), undefined);
  assert.equal(hostOfAffinity(undefined), undefined);
});

test('FelixConfiguration sets VNI, port and MTU of the tunnels', () => {
  const settings = tunnelSettings({ vxlanVNI: 7, vxlanPort: 8472, vxlanMTU: 1300, ipipMTU: 1310 });
  const tunnel = compute({ vxlanMode: 'Always' }, { settings }).tunnels.get('vxlan.calico');
  assert.deepEqual([tunnel?.mtu, tunnel?.vxlan?.vni, tunnel?.vxlan?.port], [1300, 7, 8472]);
  assert.equal(compute({ ipipMode: 'Always' }, { settings }).tunnels.get('tunl0')?.mtu, 1310);
  assert.equal(workloadMtu(pool({ vxlanMode: 'CrossSubnet' }), settings, 1500), 1300);
  assert.equal(workloadMtu(pool({ ipipMode: 'Always' }), settings, 1500), 1310);
  assert.equal(workloadMtu(pool({}), settings, 1500), 1500);
  assert.equal(workloadMtu(pool({ ipipMode: 'Always' }), tunnelSettings({}), 1400), 1380);
});
