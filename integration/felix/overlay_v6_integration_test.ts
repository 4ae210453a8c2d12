// VXLAN over IPv6 for an IPv6 pool, beside the IPv4 VXLAN of the same nodes and pods, on a real kernel.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { vxlanTunnelMac } from '@calico/model';
import { PatchType } from '@calico/proto/api/v1/resources';
import { execOk, inNamespace, ipBatch, LineMonitor, UPLINK, untilQuiet } from '../lab/mod.ts';
import { FelixFixture, SKIP } from './fixture.ts';
import { becomes, type Connected, connect, nodeSpec, reachEachOther } from './overlay_lab.ts';

const CIDR = 'fd00:10:244::/56';
const POOL = 'six';
const DEVICE = 'vxlan-v6.calico';

/** The node's address on the IPv6 underlay, which has the subnets of the IPv4 one. */
function underlay(lab: FelixFixture, index: number): string {
  const [, , subnet, host] = lab.topology.nodes[index]?.address.split('.') ?? [];
  return `fd00:${subnet}::${host}`;
}

/** Put IPv6 on a node's uplink. */
function ipv6Commands(lab: FelixFixture, index: number): string[] {
  const subnet = lab.topology.nodes[index]?.subnet;
  return [
    `address add ${underlay(lab, index)}/64 dev ${UPLINK} nodad`,
    `route add fd00:${subnet === 80 ? 81 : 80}::/64 via fd00:${subnet}::1`,
  ];
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');

/** Puts IPv6 on the underlay and into the Nodes. */
async function addIpv6(lab: FelixFixture): Promise<void> {
  const { fabric, nodes } = lab.topology;
  const addRouter = [80, 81].map(
    (subnet) => `address add fd00:${subnet}::1/64 dev br${subnet} nodad`,
  );
  await ipBatch(fabric, addRouter);
  await execOk(inNamespace(fabric, ['sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1']));
  for (const [index, { name, namespace }] of nodes.entries()) {
    const address = `${underlay(lab, index)}/64`;
    await ipBatch(namespace, ipv6Commands(lab, index));
    await lab.api.patch({
      key: { kind: 'Node', namespace: '', name },
      type: PatchType.MERGE,
      patch: JSON.stringify({ spec: { bgp: { ipv6Address: address } } }),
    });
  }
}

describe('felix on three nodes with IPv4 and IPv6, two of them in one subnet', {
  skip: SKIP,
}, () => {
  let lab: FelixFixture;
  let pods: Connected[];

  const setMode = (vxlanMode: string): Promise<bigint> =>
    lab.apply('IPPool', POOL, { cidr: CIDR, vxlanMode });
  const overlayRoutes = (): Promise<string> =>
    lab.onNode('ip', '-6', 'route', 'show', 'proto', '80');
  /** How the first node sends to the pod of another; '' while it does not. */
  const wayTo = (index: number): Promise<string> =>
    lab.onNode('ip', '-6', 'route', 'get', pods[index]?.addresses[1] ?? '').catch(() => '');
  const pings = (): Promise<void> => becomes('pings', () => reachEachOther(lab, pods));

  before(async () => {
    lab = await FelixFixture.start({ vxlanMode: 'Always' }, { nodes: 3, mode: 'crosssubnet' });
    await addIpv6(lab);
    await setMode('Always');
    await becomes('tunnel addresses', async () => {
      const specs = await Promise.all([0, 1, 2].map((index) => nodeSpec(lab, index)));
      return specs.every((spec) => spec['ipv6VXLANTunnelAddr'] !== undefined);
    });
    pods = await Promise.all([0, 1, 2].map((index) => connect(lab, index, { assignIpv6: true })));
  });
  after(async () => {
    await lab?.stop();
  });

  test('pods reach each other over both; IPv6 goes through its own device over the IPv6 underlay', async () => {
    await lab.on(2, 'nft', 'add table inet seen');
    await lab.on(2, 'nft', 'add chain inet seen in { type filter hook prerouting priority -400; }');
    await lab.on(
      2,
      'nft',
      `add rule inet seen in ip6 saddr ${underlay(lab, 0)} udp dport 4789 counter`,
    );
    await pings();
    assert.match(await lab.on(2, 'nft', 'list table inet seen'), /counter packets [1-9]/);
    const mac = vxlanTunnelMac(lab.topology.nodes[1]?.name ?? '', 6);
    const spec = await nodeSpec(lab, 1);
    const vtep = String(spec['ipv6VXLANTunnelAddr']);
    assert.equal(spec['vxlanTunnelMACAddrV6'], mac);
    const { pod } = pods[0] as Connected;
    assert.match(await lab.inPod(pod, 'ip', 'link', 'show', 'eth0'), /mtu 1430/);
    assert.match(await overlayRoutes(), new RegExp(`/122 via ${vtep} dev ${DEVICE} .*onlink`));
    const device = await lab.onNode('ip', '-d', 'link', 'show', DEVICE);
    assert.match(device, /mtu 1430 .*vxlan id 4096 .*dev ens33 .*dstport 4789 nolearning/s);
    assert.match(device, new RegExp(`local ${underlay(lab, 0)} `));
    const entries = await lab.onNode('bridge', 'fdb', 'show', 'dev', DEVICE);
    assert.match(entries, new RegExp(`${mac} dst ${underlay(lab, 1)} self permanent`));
    const neighbours = await lab.onNode('ip', '-6', 'neigh', 'show', 'dev', DEVICE);
    assert.match(neighbours, new RegExp(`${vtep} lladdr ${mac} PERMANENT`));
  });

  test('VXLAN over IPv6 from an address that is no node is dropped', async () => {
    const { fabric } = lab.topology;
    await becomes('a counted packet', async () => {
      const send = `echo > /dev/udp/${underlay(lab, 0)}/4789`;
      await execOk(inNamespace(fabric, ['bash', '-c', send]));
      const chain = await lab.onNode('nft', 'list chain inet calico input-to-host');
      return /counter packets [1-9]\d* .*"VXLAN from elsewhere"/.test(chain);
    });
  });

  test('what others delete of it comes back', async () => {
    const [block = ''] = /^\S+\/122/m.exec(await overlayRoutes()) ?? [];
    for (const damage of [
      ['ip', '-6', 'route', 'del', block],
      ['ip', '-6', 'neigh', 'flush', 'nud', 'permanent', 'dev', DEVICE],
      ['ip', '-6', 'addr', 'flush', 'dev', DEVICE, 'scope', 'global'],
      ['ip', 'link', 'set', DEVICE, 'down'],
      ['ip', 'link', 'del', DEVICE],
    ]) {
      await lab.onNode(...damage);
      await becomes(`repaired after ${damage.join(' ')}`, async () => {
        const [address, neighbours, routes] = await Promise.all([
          lab.onNode('ip', '-6', '-br', 'addr', 'show', 'scope', 'global'),
          lab.onNode('ip', '-6', 'neigh', 'show', 'nud', 'permanent'),
          overlayRoutes(),
        ]);
        return (
          new RegExp(`^${DEVICE} .* fd00:10:244:.*/128`, 'm').test(address) &&
          neighbours.split(DEVICE).length === 3 &&
          routes.includes(block)
        );
      });
    }
    await pings();
  });

  test('an uplink that went down loses the IPv6 address; with it the overlay comes back', async () => {
    const { namespace } = lab.node;
    const routes = await lab.onNode('ip', 'route', 'show', 'dev', UPLINK, 'proto', 'boot');
    const hasDevice = async (): Promise<boolean> =>
      (await lab.onNode('ip', '-o', 'link')).includes(`${DEVICE}:`);
    await lab.onNode('ip', 'link', 'set', UPLINK, 'down');
    await becomes('no IPv6 overlay', async () => !(await hasDevice()));
    await ipBatch(namespace, [
      `link set ${UPLINK} up`,
      ...linesOf(routes).map((route) => `route replace ${route} dev ${UPLINK}`),
      ...ipv6Commands(lab, 0),
    ]);
    await becomes('an IPv6 overlay', hasDevice);
    await pings();
  });

  test('CrossSubnet goes native to the IPv6 neighbour and through the tunnel beyond, and back', async () => {
    const near = `via ${underlay(lab, 1)} dev ${UPLINK}`;
    await setMode('CrossSubnet');
    await becomes('a native route', async () => (await wayTo(1)).includes(near));
    await becomes('a tunnel beyond', async () => (await wayTo(2)).includes(`dev ${DEVICE}`));
    await pings();
    await setMode('Always');
    await becomes('no native route', async () => (await wayTo(1)).includes(`dev ${DEVICE}`));
    await pings();
  });

  test('a restart changes no route', async () => {
    await untilQuiet([lab.node.namespace]);
    const monitor = await LineMonitor.routes(lab.node.namespace);
    await lab.restartFelix();
    await pings();
    assert.deepEqual(await monitor.stop(), []);
  });

  test('without encapsulation its device, addresses and routes go, and IPv4 keeps its own', async () => {
    await setMode('Never');
    await becomes('no overlay', async () => {
      const links = await lab.onNode('ip', '-o', 'link');
      return (await overlayRoutes()).trim() === '' && !links.includes(DEVICE);
    });
    await becomes('no tunnel address', async () => {
      const spec = await nodeSpec(lab, 0);
      const gone = ['ipv6VXLANTunnelAddr', 'vxlanTunnelMACAddrV6'];
      return gone.every((field) => spec[field] === undefined);
    });
    const { pools } = await lab.ipam.getUtilization({});
    const handles = pools
      .flatMap(({ blocks }) => blocks)
      .flatMap(({ allocations }) => allocations.map(({ handleId }) => handleId));
    assert.equal(
      handles.some((handle) => handle.endsWith(`-v6-tunnel-addr-${lab.node.name}`)),
      false,
    );
    const ipv4 = pods.map((pod) => ({ ...pod, addresses: pod.addresses.slice(0, 1) }));
    await becomes('pings over IPv4', () => reachEachOther(lab, ipv4));
  });
});
