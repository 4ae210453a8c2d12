// VXLAN between nodes on a real kernel, blocks and nodes as etcd, relay and NATS bring them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { vxlanTunnelMac } from '@calico/model';
import { eventually } from '../lab/mod.ts';
import { codeOf, FelixFixture, failureOf, POOL_NAME, SKIP } from './fixture.ts';
import { becomes, type Connected, connect, nodeSpec, reachEachOther } from './overlay_lab.ts';

const CIDR = '10.244.0.0/16';

describe('felix on three nodes, two of them in one subnet', { skip: SKIP }, () => {
  let lab: FelixFixture;
  let pods: Connected[];

  before(async () => {
    lab = await FelixFixture.start(
      { cidr: CIDR, vxlanMode: 'Always' },
      { nodes: 3, mode: 'crosssubnet' },
    );
    pods = await Promise.all([0, 1, 2].map((index) => connect(lab, index)));
  });
  after(async () => {
    await lab?.stop();
  });

  test('pods on all nodes reach each other through VXLAN, the MTU leaves room for it', async () => {
    await becomes('pings', () => reachEachOther(lab, pods));
    const { pod } = pods[0] as Connected;
    assert.match(await lab.inPod(pod, 'ip', 'link', 'show', 'eth0'), /mtu 1450/);
    const spec = await nodeSpec(lab, 1);
    const vtep = String(spec['ipv4VXLANTunnelAddr']);
    assert.equal(spec['vxlanTunnelMACAddr'], vxlanTunnelMac(lab.topology.nodes[1]?.name ?? ''));
    const routes = await lab.onNode('ip', 'route', 'show', 'proto', '80');
    assert.match(routes, new RegExp(`/26 via ${vtep} dev vxlan.calico onlink`));
    const other = String((await nodeSpec(lab, 2))['ipv4VXLANTunnelAddr']);
    const overlay = new RegExp(`^\\S+/26 via (${vtep}|${other}) dev vxlan.calico onlink\\s*$`);
    for (const route of routes.trim().split('\n')) assert.match(route, overlay);
    const device = await lab.onNode('ip', '-d', 'link', 'show', 'vxlan.calico');
    assert.match(device, /mtu 1450 .*vxlan id 4096 .*dev ens33 .*dstport 4789 nolearning/s);
  });

  test('whatever of the overlay is deleted by hand is back soon', async () => {
    const vtep = String((await nodeSpec(lab, 1))['ipv4VXLANTunnelAddr']);
    const mac = vxlanTunnelMac(lab.topology.nodes[1]?.name ?? '');
    const [block = ''] = (await lab.onNode('ip', 'route', 'show', 'via', vtep)).split(' ');
    const attempts: readonly (readonly [string[], string[], RegExp])[] = [
      [['ip', 'route', 'del', block], ['ip', 'route'], new RegExp(block)],
      [
        ['ip', 'neigh', 'del', vtep, 'dev', 'vxlan.calico'],
        ['ip', 'neigh', 'show', 'dev', 'vxlan.calico'],
        new RegExp(`${vtep} lladdr ${mac} PERMANENT`),
      ],
      [
        ['bridge', 'fdb', 'del', mac, 'dev', 'vxlan.calico'],
        ['bridge', 'fdb', 'show', 'dev', 'vxlan.calico'],
        new RegExp(`${mac} dst`),
      ],
      [['ip', 'link', 'set', 'vxlan.calico', 'down'], ['ip', 'route'], new RegExp(block)],
      [['ip', 'link', 'del', 'vxlan.calico'], ['ip', 'route'], new RegExp(block)],
      [
        ['ip', 'addr', 'flush', 'dev', 'vxlan.calico'],
        ['ip', 'addr', 'show', 'dev', 'vxlan.calico'],
        /inet 10\.244\./,
      ],
    ];
    for (const [damage, look, expected] of attempts) {
      await lab.onNode(...damage);
      await eventually(
        async () => expected.test(await lab.onNode(...look)),
        5_000,
        () => `not back after ${damage.join(' ')}`,
      );
    }
    await lab.onNode('ip', 'route', 'add', '10.99.0.0/24', 'dev', 'ens33', 'proto', '80');
    await becomes('a foreign route with our mark goes', async () => {
      return !(await lab.onNode('ip', 'route')).includes('10.99.0.0/24');
    });
    await lab.onNode('ip', 'route', 'add', '10.98.0.0/24', 'dev', 'ens33', 'proto', 'static');
    await becomes('pings', () => reachEachOther(lab, pods));
    assert.match(await lab.onNode('ip', 'route'), /10\.98\.0\.0\/24/, 'the host keeps its own');
    assert.match(lab.process('felix').log(), /repaired: forwarding entry/);
  });

  test('CrossSubnet goes native to the neighbour and through the tunnel beyond the router', async () => {
    await lab.apply('IPPool', POOL_NAME, { cidr: CIDR, vxlanMode: 'CrossSubnet' });
    const near = lab.topology.nodes[1]?.address ?? '';
    await becomes('native route', async () => {
      const routes = await lab.onNode('ip', 'route', 'show', 'proto', '80');
      return routes.includes(`via ${near} dev ens33`) && routes.includes('dev vxlan.calico onlink');
    });
    await becomes('pings', () => reachEachOther(lab, pods));
  });

  test('native routes are back soon after the uplink was down', async () => {
    const near = lab.topology.nodes[1]?.address ?? '';
    const hostRoutes = (await lab.onNode('ip', 'route', 'show', 'dev', 'ens33'))
      .split('\n')
      .filter((route) => route.includes(' via ') && !route.includes('proto 80'));
    await lab.onNode('ip', 'link', 'set', 'ens33', 'down');
    await lab.onNode('ip', 'link', 'set', 'ens33', 'up');
    await becomes('native route', async () => {
      return (await lab.onNode('ip', 'route', 'show', 'proto', '80')).includes(`via ${near} `);
    });
    for (const route of hostRoutes) {
      await lab.onNode('ip', 'route', 'replace', ...route.trim().split(/ +/), 'dev', 'ens33');
    }
    await becomes('pings', () => reachEachOther(lab, pods));
  });

  test('without encapsulation the tunnel, its address and its routes go away', async () => {
    await lab.apply('IPPool', POOL_NAME, { cidr: CIDR });
    await becomes('no overlay', async () => {
      const routes = await lab.onNode('ip', 'route', 'show', 'proto', '80');
      const links = await lab.onNode('ip', '-o', 'link');
      return routes.trim() === '' && !links.includes('vxlan.calico');
    });
    await becomes('no tunnel address', async () => {
      return (await nodeSpec(lab, 0))['ipv4VXLANTunnelAddr'] === undefined;
    });
    for (const [index, { pod }] of pods.entries()) {
      await lab.felixOn(index).checkWorkload(pod);
    }
    await lab.apply('IPPool', POOL_NAME, { cidr: CIDR, vxlanMode: 'Always' });
    await becomes('pings', () => reachEachOther(lab, pods));
  });

  test('an address borrowed from another node is routed to where it is used', async () => {
    const [address = ''] = (pods[0] as Connected).addresses;
    const free = `${address.split('.').slice(0, 3).join('.')}.${(Number(address.split('.')[3]) & 0xc0) + 60}`;
    const pod = await lab.pod('borrower');
    await lab.felixOn(1).addWorkload({ ...pod, requestedAddresses: [free] });
    await becomes('the third node reaches it', () => lab.pings((pods[2] as Connected).pod, free));
    await becomes('the owner of the block reaches it', () =>
      lab.pings((pods[0] as Connected).pod, free),
    );
    assert.match(
      await lab.onNode('ip', 'route', 'show', 'proto', '80'),
      new RegExp(`^${free} via`, 'm'),
    );
    await lab.felixOn(1).removeWorkload(pod);
    await becomes('its route goes', async () => !(await lab.onNode('ip', 'route')).includes(free));
  });

  test('a pool whose tunnel this kernel lacks is refused by name', async (t) => {
    const probe = await codeOf(
      lab.onNode('ip', 'link', 'show', 'tunl0').catch(() => Promise.reject(new Error('none'))),
    ).catch(() => 'none');
    if (probe === 'OK') return t.skip('this kernel has ipip');
    await lab.apply('IPPool', 'tunnelled', { cidr: '10.245.0.0/16', ipipMode: 'Always' });
    const pod = await lab.pod('refused');
    await becomes('refusal', async () => {
      const failure = await failureOf(lab.felix.addWorkload({ ...pod, ipv4Pools: ['tunnelled'] }));
      return (
        failure.code === 'FAILED_PRECONDITION' &&
        failure.message.startsWith('pool tunnelled: ipipMode Always needs the ipip module: ')
      );
    });
    await becomes('the node says so', async () => {
      const { missingFeatures } = await lab.felix.getNodeInfo({});
      return /pool tunnelled: ipipMode Always needs the ipip module/.test(missingFeatures.join());
    });
    // The other pool still serves.
    const other = await lab.pod('served');
    await lab.felix.addWorkload({ ...other, ipv4Pools: [POOL_NAME] });
  });
});
