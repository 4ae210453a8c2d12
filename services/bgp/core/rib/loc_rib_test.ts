import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parsePrefix } from '@calico/ip';
import { path, RibFiller } from '../../testing/paths.ts';
import { PATHS_PER_SOURCE } from './loc_rib.ts';
import { PathFlag } from './path_table.ts';

const PREFIX = '10.244.85.192/26';

class Table extends RibFiller {
  /** What settle() answers, as texts. */
  settle(limit?: number): string[] {
    return this.rib.settle(limit).map((id) => {
      const best = this.rib.entryOf(id)?.best;
      const from = best?.source.kind === 'peer' ? best.source.peer : 'nobody';
      return `${formatPrefix(this.rib.prefixes.prefixOf(id))} ${from}`;
    });
  }

  viasOf(prefix: string): number[] {
    const entry = this.rib.get(parsePrefix(prefix));
    return (entry?.multipath ?? []).map(({ data }) => Number(data.nextHop.value & 0xffn));
  }
}

test('settle() answers what changed, once', () => {
  const table = new Table();
  table.put(path({ from: '10.0.0.1' }));
  assert.deepEqual(table.settle(), [`${PREFIX} 10.0.0.1`]);
  assert.deepEqual(table.settle(), []);
  table.put(path({ from: '10.0.0.1' }));
  assert.deepEqual(table.settle(), [], 'the same again is no change');
  table.put(path({ from: '10.0.0.1', via: '10.0.0.9' }));
  assert.deepEqual(table.settle(), [`${PREFIX} 10.0.0.1`]);
  assert.equal(table.rib.attributes.size, 1, 'attributes that nobody uses are gone');
});

test('settle() keeps to its limit', () => {
  const table = new Table();
  for (let index = 0; index < 10; index++) table.put(path({ prefix: `10.${index}.0.0/16` }));
  assert.equal(table.settle(4).length, 4);
  assert.ok(table.rib.isUnsettled);
  assert.equal(table.settle(100).length, 6);
  assert.ok(!table.rib.isUnsettled);
});

test('changes are decided on in their order, however many come', () => {
  const table = new Table();
  const { rib } = table;
  const change = (index: number): void => table.put(path({ prefix: `10.${index}.0.0/16` }));
  change(0);
  change(1);
  const { changeCount } = rib;
  change(2);
  assert.deepEqual([table.settle(1).length, rib.hasSettled(changeCount)], [1, false]);
  change(3);
  assert.deepEqual([table.settle(1).length, rib.hasSettled(changeCount)], [1, true]);
  assert.deepEqual([rib.isUnsettled, rib.hasSettled(rib.changeCount)], [true, false]);
});

test('settle() says nothing when a change comes and goes before it', () => {
  const table = new Table();
  table.put(path({ from: '10.0.0.1' }));
  table.settle();
  const second = path({ from: '10.0.0.2', localPreference: 900 });
  table.put(second);
  table.remove(second);
  assert.deepEqual(table.settle(), []);
  const elsewhere = { ...second, prefix: parsePrefix('10.0.0.0/8') };
  table.put(elsewhere);
  table.remove(elsewhere);
  assert.deepEqual(table.settle(), []);
  assert.equal(table.rib.size, 1);
  table.settle();
  assert.equal(table.rib.prefixes.size, 1);
});

test('put() replaces the path of the same source and identifier', () => {
  const table = new Table();
  table.put(path({ from: '10.0.0.1' }));
  table.put(path({ from: '10.0.0.1', via: '10.0.0.9' }));
  table.put({ ...path({ from: '10.0.0.1', via: '10.0.0.8' }), pathId: 7 });
  table.settle();
  assert.equal(table.rib.get(parsePrefix(PREFIX))?.candidates.length, 2);
  assert.deepEqual(table.viasOf(PREFIX), [8, 9]);
});

test('remove() of the last path leaves no entry and is told', () => {
  const table = new Table();
  const only = path({});
  table.put(only);
  table.settle();
  table.remove(only);
  assert.deepEqual(table.settle(), [`${PREFIX} nobody`]);
  assert.equal(table.rib.size, 0);
  assert.equal(table.rib.get(only.prefix), undefined);
  table.settle();
  assert.deepEqual([table.rib.prefixes.size, table.rib.attributes.size], [0, 0]);
});

test('a change of the multipath alone is a change', () => {
  const table = new Table();
  table.put(path({ from: '10.0.0.1' }));
  table.settle();
  table.put(path({ from: '10.0.0.2' }));
  assert.equal(table.settle().length, 1);
  assert.deepEqual(table.viasOf(PREFIX), [1, 2]);
});

test('doomed paths are gone at once for the decision, and taken away bit by bit', () => {
  const table = new Table();
  for (let index = 0; index < 10; index++) table.put(path({ prefix: `10.${index}.0.0/16` }));
  table.settle();
  const { rib } = table;
  for (let row = 0; row < 10; row++) rib.doom(row);
  assert.ok(rib.isLosing);
  assert.equal(table.settle(4).length, 4);
  assert.ok(rib.isLosing);
  table.put(path({ prefix: '10.9.0.0/16' }));
  assert.equal(table.settle(100).length, 5, 'what is announced again stays');
  assert.ok(!rib.isLosing);
  assert.equal(rib.size, 1);
});

test('a source has so many paths of one prefix and no more; what is stale gives way', () => {
  const table = new Table();
  const { rib } = table;
  const route = path({ from: '10.0.0.1' });
  const source = table.sourceOf(route);
  const tell = (pathId: number): boolean => rib.put({ ...route, source, pathId });
  const count = (): number => rib.get(parsePrefix(PREFIX))?.candidates.length ?? 0;
  for (let pathId = 1; pathId <= PATHS_PER_SOURCE; pathId++) assert.ok(tell(pathId));
  assert.ok(!tell(1_000));
  assert.ok(tell(1), 'what is held may be told again');
  assert.equal(count(), PATHS_PER_SOURCE);
  table.put(path({ from: '10.0.0.2' }));
  assert.equal(count(), PATHS_PER_SOURCE + 1, 'another source is not held up');
  rib.remove(route.prefix, source, 7);
  assert.ok(tell(1_000));
  assert.ok(!tell(1_001));
  const stale = rib.paths.find(rib.prefixes.find(route.prefix), source, 9);
  rib.paths.setFlag(stale, PathFlag.Stale, true);
  assert.ok(tell(1_001));
  assert.ok(!tell(9));
  assert.equal(rib.paths.staleOf(source), 0);
  assert.equal(count(), PATHS_PER_SOURCE + 1);
});

test('a source without paths counts no more, and may have some again', () => {
  const table = new Table();
  const { paths } = table.rib;
  const route = path({ from: 'fe80::1', onLink: 'eth1' });
  assert.deepEqual([...paths.interfaces()], []);
  for (let round = 0; round < 2; round++) {
    table.put(route);
    table.put({ ...route, pathId: 1 });
    assert.deepEqual([...paths.interfaces()], ['eth1']);
    table.remove(route);
    table.settle();
    assert.deepEqual([...paths.interfaces()], ['eth1'], 'one path is left');
    table.remove({ ...route, pathId: 1 });
    table.settle();
    assert.deepEqual([...paths.interfaces()], []);
    assert.equal(paths.find(0, table.sourceOf(route), 0), -1);
  }
});

test('all paths of a source are doomed at once; those of others decide on', () => {
  const table = new Table();
  for (const from of ['10.0.0.1', '10.0.0.2']) table.put(path({ from }));
  table.put(path({ from: '10.0.0.1', prefix: '10.0.0.0/8' }));
  table.settle();
  const { rib } = table;
  const source = table.sourceOf(path({ from: '10.0.0.1' }));
  for (let time = 0; time < 2; time++) rib.doomAllOf(source);
  assert.deepEqual([rib.paths.acceptedOf(source), rib.isLosing], [0, true]);
  assert.deepEqual(table.settle(), [`${PREFIX} 10.0.0.2`, '10.0.0.0/8 nobody']);
  assert.deepEqual([rib.paths.size, rib.isLosing], [1, false]);
  table.put(path({ from: '10.0.0.1' }));
  assert.equal(rib.paths.acceptedOf(source), 1);
});
