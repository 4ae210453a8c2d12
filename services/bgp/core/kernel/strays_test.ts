import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import { Fixture } from '../../testing/kernel_fixture.ts';
import { PrefixTable } from '../rib/prefix_table.ts';
import { REMOVE_ANYTHING } from './changes.ts';
import { RouteStates } from './route_states.ts';
import { Strays } from './strays.ts';
import type { KernelRoute } from './types.ts';

const OURS = '10.244.85.192/26 via 192.168.80.101';

function stray(prefix: string, via = '192.168.80.101'): KernelRoute {
  const hops = [{ gateway: parseAddress(via), interfaceIndex: 2, onlink: false }];
  return { prefix: parsePrefix(prefix), type: 'unicast', hops, metric: 1024 };
}

test('a route of another metric goes when ours is there, and is not taken for it', () => {
  const fixture = new Fixture();
  const { kernel, sync } = fixture;
  sync.allowRemoval({ blackholes: false, via: () => false });
  kernel.strays = [stray('10.244.85.192/26')];
  sync.takeInitial(kernel.list());
  fixture.settle();
  assert.deepEqual(kernel.log, []);
  fixture.learn({});
  assert.deepEqual(kernel.log.splice(0), [OURS, `Deleted ${OURS} metric 1024`]);
  sync.resync();
  assert.deepEqual([kernel.log, fixture.repaired, kernel.strays], [[], [], []]);
});

test('one that nobody wants stays until it may go; one that comes later goes', () => {
  const fixture = new Fixture();
  const { kernel, sync } = fixture;
  sync.allowRemoval({ blackholes: false, via: () => false });
  const [later, first] = [stray('10.244.9.0/26'), stray('10.244.7.0/26', '192.168.80.102')];
  kernel.strays = [first];
  sync.resync();
  assert.deepEqual(kernel.log, []);
  sync.allowRemoval(REMOVE_ANYTHING);
  assert.deepEqual(kernel.log.splice(0), ['Deleted 10.244.7.0/26 via 192.168.80.102 metric 1024']);
  kernel.strays = [later];
  assert.equal(sync.contradicts('new', later), true);
  assert.equal(sync.contradicts('deleted', later), false, 'also when it was removed from here');
  sync.resync();
  assert.deepEqual(kernel.strays, []);
  assert.equal(fixture.table.rib.prefixes.size, 0);
});

test('once the node has stopped, none goes', () => {
  const fixture = new Fixture();
  const { kernel, sync } = fixture;
  const turns: (() => void)[] = [];
  const routes = ['10.244.7.0/26', '10.244.8.0/26'].map((prefix) => stray(prefix));
  kernel.strays = routes;
  fixture.defer = (callback) => turns.push(callback);
  sync.takeInitial(kernel.list());
  sync.allowRemoval(REMOVE_ANYTHING);
  assert.ok(turns.length > 0, 'some are about to go');
  sync.stop();
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn();
  assert.deepEqual(kernel.strays, routes);
});

const COUNT = 20_000;
const REMOVE_NONE = { blackholes: false, via: () => false };

/** More than are looked at in a turn. */
function many() {
  const prefixes = new PrefixTable();
  const turns: (() => void)[] = [];
  const seen = { looked: 0, removed: 0 };
  const strays = new Strays({
    states: new RouteStates(prefixes),
    kernel: { removeStrays: ({ length }) => void (seen.removed += length) },
    defer: (callback) => void turns.push(callback),
    isOpen: () => {
      seen.looked += 1;
      return false;
    },
  });
  const routes = Array.from({ length: COUNT }, (_, index) =>
    stray(`10.9.${index >> 8}.${index & 255}/32`),
  );
  const takeTurn = () => {
    Object.assign(seen, { looked: 0, removed: 0 });
    turns.shift()?.();
    return { ...seen };
  };
  const takeTurns = () => {
    const taken = [];
    while (turns.length > 0) taken.push(takeTurn());
    return taken;
  };
  return { prefixes, strays, routes, turns, takeTurn, takeTurns };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

test('very many are looked at once each, and go, some per turn', () => {
  const { prefixes, strays, routes, turns, takeTurns } = many();
  const slices = Array.from(strays.take(routes)).length;
  assert.ok(slices > 1);
  assert.ok(Array.from(strays.take(routes)).length > slices, 'those of before are left in slices');

  strays.remove(REMOVE_NONE);
  const first = takeTurns();
  assert.ok(first.every(({ looked, removed }) => looked < COUNT / 2 && removed === 0));
  assert.equal(sum(first.map(({ looked }) => looked)), COUNT);

  strays.remove(REMOVE_ANYTHING);
  const second = takeTurns();
  assert.ok(second.every(({ removed }) => removed <= 256));
  assert.equal(sum(second.map(({ looked }) => looked)), COUNT);
  assert.equal(sum(second.map(({ removed }) => removed)), COUNT);
  assert.equal(prefixes.size, 0);
  strays.remove(REMOVE_ANYTHING);
  assert.equal(turns.length, 0);
});

test('what may go only after it was looked at goes all the same', () => {
  const { strays, routes, turns, takeTurn, takeTurns } = many();
  Array.from(strays.take(routes));
  strays.remove(REMOVE_NONE);
  takeTurn();
  strays.remove(REMOVE_ANYTHING);
  assert.equal(turns.length, 1);
  assert.equal(sum(takeTurns().map(({ removed }) => removed)), COUNT);
});
