import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import { Fixture } from '../../testing/kernel_fixture.ts';
import { REMOVE_ANYTHING } from './changes.ts';
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

test('very many go in slices', () => {
  const fixture = new Fixture();
  const { kernel, sync } = fixture;
  const turns: (() => void)[] = [];
  kernel.strays = Array.from({ length: 600 }, (_, index) =>
    stray(`10.9.${index >> 8}.${index & 255}/32`),
  );
  fixture.defer = (callback) => turns.push(callback);
  sync.takeInitial(kernel.list());
  sync.allowRemoval(REMOVE_ANYTHING);
  const before = kernel.strays.length;
  while (turns.length > 0) for (const turn of turns.splice(0)) turn();
  assert.ok(before > 0);
  assert.deepEqual(kernel.strays, []);
});
