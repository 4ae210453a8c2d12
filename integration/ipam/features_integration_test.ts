// Placement by labels, cool-down, tunnel addresses and the stream of utilisation over gRPC, by two ipam
// processes on a real etcd. About 5 s.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { aggregate, parsePrefix, prefixOf } from '@calico/ip';
import { IpamAdminService } from '@calico/proto/ipam/v1/admin';
import { NodeAddressService, Tunnel } from '@calico/proto/ipam/v1/node_addresses';
import { connectRpc, RpcError } from '@calico/rpc';
import { type Ipam, IpamFixture, SKIP, waitUntil } from './fixture.ts';

describe('ipam features on a real etcd', { skip: SKIP }, () => {
  let fixture: IpamFixture;
  const services: Ipam[] = [];

  before(async () => {
    fixture = await IpamFixture.start();
    for (let i = 0; i < 2; i++) services.push(await fixture.startService());
  });

  after(async () => {
    await fixture?.stop();
  });

  function one(number: number): Ipam {
    const service = services[number % services.length];
    if (service === undefined) throw new RangeError('no service');
    return service;
  }

  async function putNode(name: string, rack: string): Promise<void> {
    const metadata = { name, labels: { rack } };
    const document = { apiVersion: 'projectcalico.org/v3', kind: 'Node', metadata, spec: {} };
    const key = `/calico/resources/v3/projectcalico.org/nodes/${name}`;
    await fixture.put(key, JSON.stringify(document));
  }

  async function configure(spec: object): Promise<void> {
    await fixture.putResource('IPAMConfiguration', 'ipamconfigurations/default', spec);
  }

  test('nodes of a rack that ask at once draw from one super-block', async () => {
    await configure({ topologyLabel: 'rack' });
    await fixture.putPool('racks', { cidr: '10.64.0.0/16', assignmentMode: 'Manual' });
    const nodes = Array.from({ length: 12 }, (_, i) => ({ name: `r${i}`, rack: `rack${i % 3}` }));
    for (const { name, rack } of nodes) await putNode(name, rack);
    const blocks = await Promise.all(
      nodes.map(async ({ name, rack }, i) => {
        const request = { node: name, ipv4: true, ipv4Pools: ['racks'] };
        const { ipv4Block } = await one(i).ensureBlock(request);
        return { rack, cidr: parsePrefix(ipv4Block) };
      }),
    );
    const racks = [...Map.groupBy(blocks, ({ rack }) => rack).values()].map((all) =>
      all.map(({ cidr }) => cidr),
    );
    const regions = racks.map((all) => new Set(all.map((cidr) => prefixOf(cidr, 20).value)));
    assert.deepEqual(
      regions.map(({ size }) => size),
      [1, 1, 1],
    );
    assert.equal(new Set(regions.flatMap((all) => [...all])).size, 3);
    for (const all of racks) assert.ok(aggregate(all).length <= 4);
    assert.deepEqual(await fixture.problems(), []);
    const { released } = await one(0).releasePoolAffinities({ pool: 'racks' });
    assert.equal(released.length, 12);
  });

  test('a released address cools down, by the clock of the service', async () => {
    await configure({ ipCooldownSeconds: 2 });
    await putNode('cool', 'none');
    await fixture.putPool('cool', {
      cidr: '10.65.0.0/32',
      blockSize: 32,
      assignmentMode: 'Manual',
    });
    const assign = (handleId: string, number: number) =>
      one(number).autoAssign({ node: 'cool', handleId, ipv4Count: 1, ipv4Pools: ['cool'] });
    const { addresses } = await assign('net.one', 0);
    const released = performance.now();
    await one(1).releaseByHandle({ handleId: 'net.one' });
    let refusals = 0;
    let firstAnswer = Number.POSITIVE_INFINITY;
    await waitUntil('the address is free again', async () => {
      try {
        const again = await assign('net.two', refusals);
        return again.addresses[0]?.address === addresses[0]?.address;
      } catch (error) {
        assert.ok(error instanceof RpcError && error.code === 'RESOURCE_EXHAUSTED', String(error));
        refusals++;
        return false;
      } finally {
        firstAnswer = Math.min(firstAnswer, performance.now());
      }
    });
    // The service's clock counts whole milliseconds.
    assert.ok(performance.now() - released >= 1999);
    // Unless the machine was too slow to ask in time.
    assert.ok(refusals > 0 || firstAnswer - released >= 2000);
    await one(0).releaseByHandle({ handleId: 'net.two' });
    await configure({});
  });

  test('the use of pools is streamed, also of what another process does', async () => {
    await fixture.putPool('seen', { cidr: '10.66.0.0/24', assignmentMode: 'Manual' });
    await putNode('seen', 'none');
    const admin = connectRpc(IpamAdminService, fixture.target(0), {});
    const over = new AbortController();
    const inUse: bigint[] = [];
    const stream = admin.watchUtilization({ intervalMs: 100 }, { signal: over.signal });
    const reading = (async () => {
      for await (const { pools } of stream) {
        for (const pool of pools) if (pool.name === 'seen') inUse.push(pool.inUse);
      }
    })().catch(() => {});
    await waitUntil('the pool is told', async () => inUse.length > 0);
    for (let i = 0; i < 40; i++) {
      const request = { node: 'seen', handleId: `net.s${i}`, ipv4Count: 1, ipv4Pools: ['seen'] };
      await one(1).autoAssign(request);
    }
    await waitUntil('the last change is told', async () => inUse.at(-1) === 40n);
    assert.equal(inUse[0], 0n);
    assert.ok(inUse.length <= 41, `${inUse.length} messages`);
    over.abort();
    await reading;
    admin.close();
  });

  test('tunnel addresses of a node, by either process', async () => {
    await fixture.putPool('tunnels', { cidr: '10.67.0.0/26', vxlanMode: 'Always' });
    const clients = [0, 1].map((i) => connectRpc(NodeAddressService, fixture.target(i), {}));
    const request = { node: 'seen', tunnel: Tunnel.VXLAN };
    const [first, second] = await Promise.all(
      clients.map((client) => client.assignTunnelAddress(request)),
    );
    assert.deepEqual([first?.address, first?.pool], [second?.address, 'tunnels']);
    const found = await one(0).getAssignment({ address: first?.address ?? '' });
    assert.equal(found.handleId, 'vxlan-tunnel-addr-seen');
    assert.equal(found.attributes['type'], 'vxlanTunnelAddress');
    const { released } = await clients[1]!.releaseTunnelAddress(request);
    assert.deepEqual(released, [first?.address]);
    for (const client of clients) client.close();
    assert.deepEqual(await fixture.inconsistencies(), []);
  });
});
