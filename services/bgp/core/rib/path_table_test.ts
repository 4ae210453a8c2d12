import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PathFlag, PathTable } from './path_table.ts';

test('a table of millions of paths keeps them as its columns grow, one after another', () => {
  const table = new PathTable();
  const [sources, prefixes] = [33, 100_000];
  for (let source = 0; source < sources; source++) {
    table.addSource({ kind: 'local' });
    for (let prefix = 0; prefix < prefixes; prefix++) {
      table.add(prefix, source, source + 1, prefix ^ source, -1 - source);
    }
  }
  assert.equal(table.size, sources * prefixes);
  for (let row = 0; row < table.limit; row += 997) {
    const [source, prefix] = [Math.floor(row / prefixes), row % prefixes];
    const held = [table.prefixOf(row), table.sourceOf(row), table.pathIdOf(row)];
    assert.deepEqual(held, [prefix, source, source + 1]);
    assert.deepEqual(
      [table.receivedOf(row), table.attributesOf(row)],
      [prefix ^ source, -1 - source],
    );
    assert.equal(table.nextOf(row), row < prefixes ? -1 : row - prefixes);
  }
});

test('eachOf() visits the rows of a source, be they few or many, and looks at few others', () => {
  const table = new PathTable();
  const sources = Array.from({ length: 3 }, () => table.addSource({ kind: 'local' }));
  const [many, few, none] = sources as [number, number, number];
  const prefixes = 5_000;
  const expected = new Map<number, number[]>(sources.map((source) => [source, []]));
  const add = (prefix: number, source: number, pathId: number): void => {
    expected.get(source)?.push(table.add(prefix, source, pathId, 1, 1));
  };
  for (let prefix = 0; prefix < prefixes; prefix++) {
    add(prefix, many, 0);
    if (prefix % 100 === 7) for (const pathId of [1, 2]) add(prefix, few, pathId);
  }
  const gone = expected.get(few)?.splice(3, 1) ?? [];
  for (const row of gone) table.remove(row);
  let looks = 0;
  const nextOf = table.nextOf.bind(table);
  table.nextOf = (row) => {
    looks += 1;
    return nextOf(row);
  };
  for (const source of [few, none, many]) {
    const rows: number[] = [];
    table.eachOf(source, prefixes, (row) => rows.push(row));
    assert.deepEqual(
      rows.toSorted((a, b) => a - b),
      expected.get(source)?.toSorted((a, b) => a - b),
    );
  }
  assert.ok(looks <= 3 * 50, `${looks} looks at rows of prefixes`);
});

test('what happens to all paths of a source at once is what would happen to each', () => {
  const [atOnce, oneByOne] = [mixedTable(), mixedTable()] as const;
  const rows = Array.from({ length: oneByOne.limit }, (_, row) => row).filter(
    (row) => oneByOne.sourceOf(row) === 1 && isMeant(oneByOne.prefixOf(row)),
  );
  const unless = (row: number, flags: number): boolean => !oneByOne.is(row, flags);
  for (const row of rows) {
    if (unless(row, PathFlag.Stale | PathFlag.Doomed)) oneByOne.setFlag(row, PathFlag.Stale, true);
  }
  atOnce.staleAllOf(1, isMeant);
  assert.deepEqual(stateOf(atOnce), stateOf(oneByOne));
  for (const row of rows.slice(100, 200)) {
    for (const table of [atOnce, oneByOne]) table.setFlag(row, PathFlag.Stale, false);
  }
  let doomed = 0;
  for (const row of rows) {
    if (unless(row, PathFlag.Stale) || !unless(row, PathFlag.Doomed)) continue;
    oneByOne.setFlag(row, PathFlag.Doomed, true);
    doomed += 1;
  }
  assert.equal(atOnce.doomStaleOf(1, isMeant), doomed);
  assert.ok(doomed > 1_000);
  assert.deepEqual(stateOf(atOnce), stateOf(oneByOne));
});

function isMeant(prefix: number): boolean {
  return prefix % 5 !== 3;
}

/** Two sources; of each some paths are refused, stale or doomed already, and some rows are free. */
function mixedTable(): PathTable {
  const table = new PathTable();
  for (let source = 0; source < 2; source++) table.addSource({ kind: 'local' });
  for (let prefix = 0; prefix < 3_000; prefix++) {
    for (let source = 0; source < 2; source++) {
      const row = table.add(prefix, source, 0, 1, prefix % 4 === 0 ? -1 : 1);
      if (prefix % 7 === source) table.setFlag(row, PathFlag.Stale, true);
      if (prefix % 11 === source) table.setFlag(row, PathFlag.Doomed, true);
      if (prefix % 13 === source) table.remove(row);
    }
  }
  return table;
}

function stateOf(table: PathTable): unknown {
  const counts = [0, 1].map((source) => [
    table.acceptedOf(source),
    table.refusedOf(source),
    table.staleOf(source),
    table.fewOf(source).stale.take([4])?.length,
  ]);
  const flags = Array.from({ length: table.limit }, (_, row) =>
    [PathFlag.Stale, PathFlag.Doomed].map((flag) => table.has(row) && table.is(row, flag)),
  );
  return { counts, flags };
}
