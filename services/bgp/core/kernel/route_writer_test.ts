import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parseAddress } from '@calico/ip';
import { Fixture, heldBack } from '../../testing/kernel_fixture.ts';
import { type PathFields, path } from '../../testing/paths.ts';

function routes(count: number): PathFields[] {
  return Array.from({ length: count }, (_, index) => {
    return { prefix: `10.244.${index >> 7}.${(index & 127) * 2}/31` };
  });
}

test('what is planned anew while the kernel works is looked at again when it is done', () => {
  const vxlan = { vxlanMode: 'Always' };
  const text = '10.244.85.192/26 via 192.168.80.101';
  const added = new Fixture();
  let work = heldBack(added);
  added.learn({});
  added.configure(vxlan);
  work();
  work();
  assert.deepEqual([added.kernel.describe(), added.sync.isDone], [[], true]);

  const deleted = new Fixture().learn({});
  work = heldBack(deleted);
  deleted.configure(vxlan);
  deleted.configure({});
  work();
  work();
  assert.deepEqual([deleted.kernel.describe(), deleted.sync.isDone], [[text], true]);

  const replaced = new Fixture().learn({});
  work = heldBack(replaced);
  const gateway = parseAddress('192.168.80.1');
  replaced.kernel.ways.set('192.168.80.101', { gateway, interfaceIndex: 2 });
  replaced.sync.followWays();
  replaced.kernel.ways.delete('192.168.80.101');
  replaced.sync.followWays();
  work();
  work();
  assert.deepEqual([replaced.kernel.describe(), replaced.sync.isDone], [[text], true]);
});

test('routes that go with their way and are planned anew meanwhile come back', () => {
  const fixture = new Fixture();
  const { kernel, sync, table } = fixture;
  fixture.learn(...routes(600));
  kernel.removeWays = (prefixes, onGone) => {
    // No news of routes: they are wanted again by the plan alone.
    fixture.configure({});
    for (const id of prefixes) kernel.routes.delete(formatPrefix(table.rib.prefixes.prefixOf(id)));
    onGone(prefixes, true);
  };
  fixture.configure({ vxlanMode: 'Always' });
  assert.deepEqual([kernel.routes.size, sync.isDone], [600, true]);
});

test('a route that waits for others to be removed stays when it is planned again', () => {
  for (const count of [1, 600]) {
    const fixture = new Fixture();
    const { kernel, table } = fixture;
    fixture.learn(...routes(count), { prefix: '10.245.0.0/26', from: '192.168.80.9' });
    kernel.removeWays = (prefixes, onGone) => {
      assert.equal(prefixes.length, 0);
      onGone(prefixes, true);
    };
    kernel.log.length = 0;
    // More losses are announced.
    fixture.sync.update({ prefixes: table.rib.settle(), isLosing: true });
    fixture.configure({ vxlanMode: 'Always' });
    fixture.configure({});
    fixture.sync.update({ prefixes: table.rib.settle(), isLosing: false });
    assert.deepEqual([kernel.log, fixture.sync.isDone], [[], true]);
    assert.equal(kernel.routes.size, count + 1);
  }
});

test('a full batch waits beside the kernel; what changes of it meanwhile is looked at again', () => {
  const fixture = new Fixture();
  const { kernel, sync, table } = fixture;
  const works: (() => void)[] = [];
  kernel.hold = (work) => works.push(work);
  const [first = {}, ...others] = routes(16_392);
  fixture.learn(first);
  fixture.learn(...others);
  assert.equal(works.length, 2, 'one that the kernel works on, and 16,384 more');
  const [lost = {}, changed = {}, refused = {}] = others;
  kernel.foreign.add(refused.prefix ?? '');
  table.remove(path(lost));
  table.put(path({ ...changed, via: '192.168.80.2' }));
  fixture.settle();
  assert.equal(works.length, 2, 'the kernel has enough to do');
  works.shift()?.();
  assert.deepEqual([kernel.routes.size, works.length], [1, 1]);
  table.put(path({ ...refused, via: '192.168.80.2' }));
  fixture.settle();
  works.shift()?.();
  assert.equal(kernel.routes.size, 16_384, 'those before, without one that another owner has');
  kernel.foreign.clear();
  assert.ok(!sync.isDone);
  for (let work = works.shift(); work !== undefined; work = works.shift()) work();
  assert.deepEqual([kernel.routes.size, sync.isDone], [16_391, true]);
  const elsewhere = kernel.describe().filter((text) => text.endsWith(' via 192.168.80.2'));
  assert.deepEqual(
    new Set(elsewhere),
    new Set([changed, refused].map(({ prefix }) => `${prefix} via 192.168.80.2`)),
  );
});

test('nothing is settled before what the kernel did of every batch is known', () => {
  const fixture = new Fixture();
  const { kernel, sync } = fixture;
  const works: (() => void)[] = [];
  // As it does with few routes while it has nothing else to do.
  kernel.hold = (work, changes) => {
    if (changes > 128 || works.length > 0) works.push(work);
    else work();
  };
  const [refused = {}, ...others] = routes(305);
  kernel.foreign.add(refused.prefix ?? '');
  const settled: unknown[] = [];
  fixture.onSettled = () => settled.push([sync.problems.length, sync.routeCount]);
  fixture.learn(refused, ...others.slice(0, 299));
  fixture.learn(...others.slice(299));
  assert.deepEqual([works.length, settled], [1, []]);
  works.shift()?.();
  assert.deepEqual(settled, [[1, 304]]);
});

test('while the kernel works a prefix may change again and again, however many removals wait', () => {
  const fixture = new Fixture();
  const { kernel, table } = fixture;
  const all = routes(16_392);
  fixture.learn(...all);
  const work = heldBack(fixture);
  kernel.log.length = 0;
  const flapping = '10.245.0.0/26';
  const lose = (): void => {
    fixture.sync.update({ prefixes: table.rib.settle(), isLosing: true });
  };
  table.put(path({ prefix: '10.245.1.0/26' }));
  lose();
  for (const each of all) table.remove(path(each));
  lose();
  for (const via of ['192.168.80.2', '192.168.80.3']) {
    table.put(path({ prefix: flapping, via }));
    lose();
  }
  work();
  work();
  assert.deepEqual(kernel.log, [
    '10.245.1.0/26 via 192.168.80.101',
    `${flapping} via 192.168.80.3`,
  ]);
});
