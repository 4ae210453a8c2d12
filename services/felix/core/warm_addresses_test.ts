import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAKE_LEASE_MS } from './fake_leases.ts';
import type { FakeWorld } from './fake_world.ts';
import { POD, pool, world } from './sample_world.ts';
import type { Workload } from './workload.ts';

const OTHER: Workload = { ...POD, containerId: 'c2', netns: '/ns/b', pod: 'b' };
const THIRD: Workload = { ...POD, containerId: 'c3', netns: '/ns/c', pod: 'c' };

/** A node that holds `count` addresses ready. */
async function stocked(count: number) {
  const w = world();
  w.netns.add('/ns/c');
  w.leases.count = count;
  const felix = w.start();
  await w.pass(1000);
  return { w, felix };
}

function away(w: FakeWorld, isAway: boolean): void {
  w.isIpamUp = !isAway;
  w.isApiUp = !isAway;
}

test('a pod starts while ipam and api are away; afterwards all is as if they had not been', async () => {
  const { w, felix } = await stocked(2);
  away(w, true);
  assert.deepEqual((await felix.actions.readiness()).reasons, []);
  const record = await w.settle(felix.actions.add(POD));
  const [address] = record.addresses;
  assert.equal(w.routes.has(`${address?.address}/32 0`), true);
  assert.equal(w.policy?.localEndpoints.length, 1);
  assert.equal(w.list('WorkloadEndpoint').length, 0);
  away(w, false);
  await w.pass(15_000);
  assert.deepEqual([...w.leases.adopted], [['net.c1', address?.address]]);
  assert.equal(w.list('WorkloadEndpoint').length, 1);
  assert.equal(w.leases.leased.length, 2, 'filled up again');
  assert.doesNotMatch([...w.journal.values()].join(), /leased/);
});

test('with one of two IP versions held ready, the node is ready as far as its pods ask for no other', async () => {
  const { w, felix } = await stocked(2);
  w.put(pool({ cidr: 'fd00::/56' }, 'six'));
  const reasons = async (): Promise<number> => (await felix.actions.readiness()).reasons.length;
  away(w, true);
  assert.equal(await reasons(), 2, 'pods may ask for both');
  away(w, false);
  await w.settle(felix.actions.add(POD));
  away(w, true);
  assert.equal(await reasons(), 0);
  away(w, false);
  await w.settle(felix.actions.add({ ...OTHER, ipv6: true }));
  away(w, true);
  assert.equal(await reasons(), 2);
});

test('addresses of a pool that gives no more are returned, and replaced', async () => {
  const { w, felix } = await stocked(2);
  const old = w.leases.leased.map(({ address }) => address);
  w.leases.retired = old;
  await w.pass(FAKE_LEASE_MS);
  const held = w.leases.leased.map(({ address }) => address);
  assert.equal(held.length, 2);
  assert.ok(
    !held.some((address) => old.includes(address)),
    `${held.join()} instead of ${old.join()}`,
  );
  away(w, true);
  const { addresses } = await w.settle(felix.actions.add(POD));
  assert.ok(held.includes(addresses[0]?.address ?? ''));
});

test('with ipam at hand nothing is taken from the stock; without stock ADD fails', async () => {
  const { w, felix } = await stocked(1);
  await w.settle(felix.actions.add(POD));
  assert.equal(w.leases.leased.length, 1);
  assert.equal(w.assigned.size, 1);
  away(w, true);
  await w.settle(felix.actions.add(OTHER));
  assert.equal((await felix.actions.readiness()).reasons.length, 2);
  await assert.rejects(w.settle(felix.actions.add(THIRD)), /ipam/);
  const off = await stocked(0);
  away(off.w, true);
  await assert.rejects(off.w.settle(off.felix.actions.add(POD)), /ipam/);
});

test('a special wish, or a lease that is over, takes nothing from the stock', async () => {
  const { w, felix } = await stocked(2);
  away(w, true);
  for (const wish of [
    { ipv4Pools: ['p'] },
    { requestedAddresses: ['10.244.0.9'] },
    { ipv6: true },
  ]) {
    await assert.rejects(w.settle(felix.actions.add({ ...POD, ...wish })), /ipam/);
  }
  w.clock.advance(FAKE_LEASE_MS);
  await assert.rejects(w.settle(felix.actions.add(POD)), /ipam/);
});

test('DEL before the adoption gives the address back', async () => {
  const { w, felix } = await stocked(1);
  away(w, true);
  const record = await w.settle(felix.actions.add(POD));
  await w.settle(felix.actions.remove(POD));
  assert.equal(w.leases.leased.length, 1);
  away(w, false);
  await w.pass(15_000);
  assert.deepEqual(w.leftovers(), []);
  assert.equal(w.leases.adopted.size, 0);
  assert.ok(w.leases.leased.every(({ address }) => address !== record.addresses[0]?.address));
});

test('a node that was declared gone loses the pod that it started on its own', async () => {
  const { w, felix } = await stocked(1);
  away(w, true);
  await w.settle(felix.actions.add(POD));
  w.leases.leased = [];
  away(w, false);
  await w.pass(15_000);
  assert.equal(w.devices.size, 0);
  assert.deepEqual(w.leftovers(), []);
  assert.equal(w.list('WorkloadEndpoint').length, 0);
});

test('a pod whose address ipam refuses for another reason goes on, and that is reported', async () => {
  const { w, felix } = await stocked(1);
  away(w, true);
  await w.settle(felix.actions.add(POD));
  w.leases.refusal = 'block 10.244.0.0/26 is damaged';
  away(w, false);
  await w.pass(100_000);
  assert.equal(w.devices.size, 1);
  assert.equal(w.leases.leased.length, 1);
  assert.match(
    w.reports.at(-1)?.messages.join() ?? '',
    /pod "default\/busybox\S+" .*: block .* is damaged/,
  );
  w.leases.refusal = undefined;
  await w.pass(200_000);
  assert.equal(w.leases.adopted.size, 1);
  assert.deepEqual(w.reports.at(-1)?.messages, []);
});

test('the stock survives a restart, what was taken is not given out twice', async () => {
  const { w, felix } = await stocked(2);
  away(w, true);
  const first = await w.settle(felix.actions.add(POD));
  const next = w.start();
  const second = await w.settle(next.actions.add(OTHER));
  assert.notEqual(second.addresses[0]?.address, first.addresses[0]?.address);
  away(w, false);
  await w.pass(15_000);
  assert.equal(w.leases.adopted.size, 2);
});

test('what an ADD has taken does not return to the stock while its pool is looked up', async () => {
  const { w, felix } = await stocked(1);
  w.forget('IPPool');
  away(w, true);
  const lookUp = Promise.withResolvers<undefined>();
  w.poolAnswer = lookUp.promise;
  const first = felix.actions.add(POD);
  await w.pass(100);
  w.isIpamUp = true;
  w.put(pool());
  felix.viewChanged([]);
  await w.pass(5_000);
  const [taken] = w.leases.leased;
  assert.doesNotMatch(w.leases.file ?? '', new RegExp(`"${taken?.address}"`));
  lookUp.resolve(undefined);
  assert.equal((await w.settle(first)).addresses[0]?.address, taken?.address);
});

test('a stop gives the stock back, a lower count the surplus', async () => {
  const { w, felix } = await stocked(3);
  w.leases.count = 1;
  await w.pass(FAKE_LEASE_MS / 2 + 100_000);
  assert.equal(w.leases.leased.length, 1);
  felix.stop();
  await w.settle(felix.leave());
  assert.equal(w.leases.leased.length, 0);
  assert.equal(JSON.parse(w.leases.file ?? '').addresses.length, 0);
});
