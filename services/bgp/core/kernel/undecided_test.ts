import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parsePrefix } from '@calico/ip';
import { FakeKernel } from '../../testing/fake_kernel.ts';
import { Fixture, NOTHING_MORE, SUBNET } from '../../testing/kernel_fixture.ts';
import { type PathFields, path, RibFiller } from '../../testing/paths.ts';
import { REMOVE_ANYTHING } from './changes.ts';
import { KernelSync } from './kernel_sync.ts';
import { QUESTIONS } from './round.ts';
import { blockTexts } from './route_plan.ts';
import type { KernelRoute } from './types.ts';

function leave(kernel: FakeKernel, routes: readonly KernelRoute[]): void {
  for (const route of routes) kernel.routes.set(formatPrefix(route.prefix), route);
}

/** Each through a next hop of its own. */
function routesOf(count: number): PathFields[] {
  return Array.from({ length: count }, (_, index) => ({
    prefix: `10.244.${index}.0/24`,
    via: `192.168.80.${index + 1}`,
  }));
}

test('routes of an earlier process stay until their next hops have been asked about', () => {
  const routes = routesOf(3 * QUESTIONS);
  const fixture = new Fixture();
  const { kernel, sync } = fixture;
  leave(kernel, new Fixture().learn(...routes).kernel.list());
  leave(kernel, new Fixture().learn({ prefix: '10.244.254.0/24' }).kernel.list());
  sync.takeInitial(kernel.list());
  const turns: (() => void)[] = [];
  fixture.defer = (callback) => turns.push(callback);
  fixture.learn(...routes);
  sync.allowRemoval(REMOVE_ANYTHING);
  // Decided on once more before its turn: it is planned once.
  fixture.learn({ ...routes.at(-1), localPreference: 7 });
  const nobodys = 'Deleted 10.244.254.0/24 via 192.168.80.101';
  assert.deepEqual([kernel.log, sync.isDone], [[nobodys], false]);
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
    turn();
    sync.allowRemoval(REMOVE_ANYTHING);
  }
  assert.deepEqual([kernel.log, sync.isDone], [[nobodys], true]);
});

test('a route that is about to go stays when it is wanted again by a next hop not asked about', () => {
  const [route, ...others] = routesOf(2 * QUESTIONS);
  const fixture = new Fixture().learn({ ...route, via: '192.168.80.250' });
  const { kernel, table, sync } = fixture;
  const turns: (() => void)[] = [];
  fixture.defer = (callback) => turns.push(callback);
  table.remove(path({ ...route }));
  sync.update({ prefixes: table.rib.settle(), isLosing: true });
  fixture.learn(...others, { ...route });
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn();
  assert.deepEqual([kernel.routes.size, sync.isDone], [2 * QUESTIONS, true]);
  assert.deepEqual(
    kernel.log.filter((line) => line.startsWith('Deleted')),
    [],
  );
});

test('routes of an earlier process stay until they have been planned for the first time', () => {
  const kernel = new FakeKernel();
  const { rib } = new RibFiller();
  const turns: (() => void)[] = [];
  const sync = new KernelSync(kernel, rib, {
    defer: (callback) => turns.push(callback),
    onNextHop: () => {},
    onWay: () => {},
    onRepaired: () => {},
    onSettled: () => {},
  });
  const prefixes = Array.from({ length: 5_000 }, (_, index) =>
    parsePrefix(`10.244.${index >> 6}.${(index & 63) * 4}/30`),
  );
  leave(
    kernel,
    prefixes.map((prefix) => ({ prefix, type: 'blackhole', hops: [] })),
  );
  sync.takeInitial(kernel.list());
  const [nobodys, ...own] = prefixes;
  for (const prefix of own) {
    rib.put({ ...path({ prefix: formatPrefix(prefix), from: 'local' }), source: 0 });
  }
  sync.update({ prefixes: rib.settle(), isLosing: false });
  sync.configure({ pools: [], subnet: SUBNET, ...NOTHING_MORE, ownBlocks: blockTexts(own) });
  sync.allowRemoval(REMOVE_ANYTHING);
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn();
  assert.deepEqual(kernel.log, [`Deleted blackhole ${formatPrefix(nobodys as never)}`]);
  assert.equal(sync.isDone, true);
});
