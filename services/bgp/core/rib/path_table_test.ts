import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PathTable } from './path_table.ts';

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
