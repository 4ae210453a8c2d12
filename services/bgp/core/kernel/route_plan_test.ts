import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress } from '@calico/ip';
import { Fixture } from '../../testing/kernel_fixture.ts';
import { type PathFields, path } from '../../testing/paths.ts';
import type { Path } from '../rib/path.ts';
import { REMOVE_ANYTHING } from './changes.ts';
import { QUESTIONS } from './round.ts';

const COUNT = 5_000;

function prefixAt(index: number): string {
  return `10.244.${index >> 6}.${(index & 63) * 4}/30`;
}

function viaOf(index: number): string {
  return `10.9.${index >> 8}.${index & 255}`;
}

function routes(): PathFields[] {
  return Array.from({ length: COUNT }, (_, index) => ({ prefix: prefixAt(index) }));
}

test('very many routes are planned anew a part at a time, by what is configured in the end', () => {
  const fixture = new Fixture().learn(...routes());
  const { kernel, sync } = fixture;
  const turns: (() => void)[] = [];
  fixture.defer = (callback) => turns.push(callback);
  const takeTurns = (): number => {
    let count = 0;
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift(), count++) turn();
    return count;
  };
  fixture.configure({ vxlanMode: 'Always' });
  assert.deepEqual([kernel.routes.size, sync.isDone], [COUNT, false]);
  assert.equal(takeTurns(), 2);
  assert.deepEqual([kernel.routes.size, sync.isDone], [0, true]);

  fixture.configure({});
  turns.shift()?.();
  fixture.configure({ vxlanMode: 'Always' });
  sync.resync();
  assert.equal(sync.isDone, false);
  assert.ok(takeTurns() > 2);
  assert.deepEqual([kernel.routes.size, sync.isDone, fixture.repaired], [0, true, []]);

  fixture.configure({});
  takeTurns();
  assert.deepEqual([kernel.routes.size, sync.isDone], [COUNT, true]);

  const { settledCount } = fixture;
  kernel.log.length = 0;
  fixture.configure({});
  sync.allowRemoval(REMOVE_ANYTHING);
  assert.deepEqual([fixture.settledCount, sync.isDone], [settledCount, false]);
  assert.equal(takeTurns(), 2);
  assert.deepEqual([fixture.settledCount, sync.isDone], [settledCount + 1, true]);
  assert.deepEqual(kernel.log, [], 'what changes nothing is in force, too');
});

test('routes with several next hops, which take longer, are planned fewer at a time', () => {
  const turns: (() => void)[] = [];
  const fixture = new Fixture();
  fixture.defer = (callback) => turns.push(callback);
  const { kernel, sync } = fixture;
  const takeTurns = (): number => {
    let count = 0;
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift(), count++) turn();
    return count;
  };
  const prefixes = Array.from({ length: 2_000 }, (_, index) => prefixAt(index));
  fixture.learn(
    ...prefixes.flatMap((prefix) =>
      ['192.168.80.101', '192.168.80.102'].map((from) => ({ prefix, from })),
    ),
  );
  const { size } = kernel.routes;
  assert.ok(size > 0 && size < 500, `${size} routes planned in the first turn`);
  assert.equal(sync.isDone, false);
  takeTurns();
  assert.deepEqual([kernel.routes.size, sync.isDone], [2_000, true]);
  assert.ok(kernel.describe().every((route) => route.endsWith('101, via 192.168.80.102')));
  fixture.configure({ vxlanMode: 'Always' });
  assert.ok(takeTurns() >= 7);
  assert.deepEqual([kernel.routes.size, sync.isDone], [0, true]);
});

test('what goes on when the service stops leaves the kernel as it is', () => {
  const fixture = new Fixture().learn(...routes());
  const { kernel, sync } = fixture;
  const later: (() => void)[] = [];
  fixture.defer = (callback) => later.push(callback);
  kernel.log.length = 0;
  fixture.configure({ vxlanMode: 'Always' });
  sync.stop();
  for (let next = later.shift(); next !== undefined; next = later.shift()) next();
  sync.resync();
  assert.deepEqual([kernel.routes.size, kernel.log, later.length], [COUNT, [], 0]);
});

test('ways to many next hops are followed a few per turn, also when they change on the way', () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  const nextHops = Array.from({ length: 300 }, (_, index) => `10.9.${index >> 8}.${index & 255}`);
  const gateways = ['192.168.80.1', '192.168.80.2', undefined];
  const fixture = new Fixture();
  const { kernel, sync } = fixture;
  const turns: (() => void)[] = [];
  fixture.defer = (callback) => turns.push(callback);
  let asked = 0;
  const resolve = kernel.resolve.bind(kernel);
  kernel.resolve = (...nextHop) => {
    asked += 1;
    return resolve(...nextHop);
  };
  const turn = (work: (() => void) | undefined): void => {
    asked = 0;
    work?.();
    assert.ok(asked <= QUESTIONS, `${asked} questions in one turn`);
  };
  const move = (): void => {
    for (const nextHop of nextHops) {
      if (random(4) > 0) continue;
      const gateway = gateways[random(gateways.length)];
      const isReached = gateway !== undefined;
      const way = isReached ? { gateway: parseAddress(gateway), interfaceIndex: 2 } : undefined;
      kernel.ways.set(nextHop, way);
    }
  };
  /** What is on the link is its own gateway. */
  const gatewayTo = (nextHop: string): string | undefined => {
    if (!kernel.ways.has(nextHop)) return nextHop;
    const gateway = kernel.ways.get(nextHop)?.gateway;
    return gateway && formatAddress(gateway);
  };
  move();
  fixture.learn(...nextHops.map((via, index) => ({ prefix: prefixAt(index), via })));
  for (let round = 0; round < 30; round++) {
    move();
    turn(() => (random(2) === 0 ? sync.followWays() : sync.resync()));
    for (let left = random(8); left > 0; left--) turn(turns.shift());
    if (random(3) > 0) continue;
    while (turns.length > 0) turn(turns.shift());
    const actual = nextHops.map((_, index) => {
      const gateway = kernel.routes.get(prefixAt(index))?.hops[0]?.gateway;
      return gateway && formatAddress(gateway);
    });
    assert.deepEqual(actual, nextHops.map(gatewayTo));
    assert.deepEqual([sync.isDone, fixture.repaired], [true, []]);
  }
});

test('what is planned anew between a loss and the decision about it stays as it was until then', () => {
  const two = ['10.244.1.0/26', '10.244.2.0/26'].map((prefix) => ({ prefix, from: '10.0.0.1' }));
  const fixture = new Fixture().learn(...two);
  const { kernel, table } = fixture;
  const before = kernel.describe();
  const [first, second] = two.map((fields) => path(fields)) as [Path, Path];
  table.remove(first);
  fixture.configure({});
  assert.deepEqual(kernel.describe(), before, 'its attributes are no more');
  table.put(path({ prefix: '10.244.3.0/26', from: '10.0.0.1', via: '10.0.0.9' }));
  const source = table.sourceOf(second);
  table.rib.doomAllOf(source);
  fixture.configure({ vxlanMode: 'Always' });
  assert.deepEqual(kernel.describe(), before, 'its row is that of another prefix');
  // One that is back before anybody has decided is planned as well.
  table.put(second);
  fixture.settle();
  assert.deepEqual(kernel.describe(), []);
  fixture.configure({});
  assert.deepEqual(kernel.describe(), ['10.244.2.0/26 via 10.0.0.1']);
});

test('of very many new next hops the kernel is asked about a few per turn; others follow', () => {
  const fixture = new Fixture();
  const { kernel, sync, table } = fixture;
  const turns: (() => void)[] = [];
  fixture.defer = (callback) => turns.push(callback);
  let [asked, total] = [0, 0];
  const resolve = kernel.resolve.bind(kernel);
  kernel.resolve = (...nextHop) => {
    asked += 1;
    return resolve(...nextHop);
  };
  const turn = (work: () => void): void => {
    asked = 0;
    work();
    total += asked;
    assert.ok(asked <= 2 * QUESTIONS, `${asked} questions in one turn`);
  };
  const all = Array.from({ length: 1_000 }, (_, index) => ({
    prefix: prefixAt(index),
    via: viaOf(index),
  }));
  for (const fields of all) table.put(path(fields));
  const { hops } = table.rib.attributes;
  for (const { via } of all) hops.noteTold(hops.find(parseAddress(via)) as number);
  turn(() => fixture.settle());
  assert.deepEqual([kernel.routes.size, sync.isDone], [QUESTIONS, false]);
  // One goes, and one goes another way, before their turn.
  const last = path(all.at(-1));
  table.remove(last);
  turn(() => fixture.learn({ prefix: prefixAt(998), via: viaOf(0) }));
  const { settledCount } = fixture;
  for (let next = turns.shift(); next !== undefined; next = turns.shift()) turn(next);
  assert.deepEqual([kernel.routes.size, sync.isDone], [999, true]);
  assert.equal(fixture.settledCount, settledCount + 1);
  assert.equal(total, 998, 'each is asked about once');
  assert.equal(hops.hasUnasked, false);
  assert.ok(kernel.describe().includes(`${prefixAt(998)} via ${viaOf(0)}`));
  table.rib.settle();
  assert.equal(table.rib.prefixes.find(last.prefix), -1, 'nothing holds it');
});
