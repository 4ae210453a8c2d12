import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { listChanges } from './list_changes.ts';
import { ABSENT, type Changes, VersionedMap } from './versioned_map.ts';

const changes: fc.Arbitrary<Changes<number | undefined>> = fc
  .array(
    fc.tuple(
      fc.constantFrom('a', 'b', 'c', 'd'),
      fc.oneof(fc.nat(3), fc.constant(undefined), fc.constant<typeof ABSENT>(ABSENT)),
    ),
    { maxLength: 3 },
  )
  .map((all) => new Map(all));

test('VersionedMap keeps every version as it was, in whatever order they are read', () => {
  fc.assert(
    fc.property(fc.array(changes, { maxLength: 100 }), fc.array(fc.nat(100)), (steps, reads) => {
      let map = new VersionedMap<number | undefined>(new Map([['a', 1]]));
      let plain = new Map<string, number | undefined>([['a', 1]]);
      const versions = [{ map, plain }];
      for (const step of steps) {
        map = map.with(step);
        plain = new Map(plain);
        for (const [key, value] of step) {
          if (value === ABSENT) plain.delete(key);
          else plain.set(key, value);
        }
        versions.push({ map, plain });
      }
      for (const at of [...reads, ...versions.keys()]) {
        const version = versions[at % versions.length];
        if (version === undefined) continue;
        for (const key of ['a', 'b', 'c', 'd']) {
          assert.equal(version.map.has(key), version.plain.has(key));
          assert.equal(version.map.get(key), version.plain.get(key));
        }
        if (at % 3 === 0) assert.deepEqual(new Map(version.map), version.plain);
        if (at % 3 === 0) assert.equal(version.map.size, version.plain.size);
      }
    }),
    { numRuns: 200 },
  );
});

test('keysChangedUntil() names what may differ between related versions', () => {
  const first = new VersionedMap(new Map([['a', 1]]));
  const second = first.with(new Map([['b', 2]]));
  const third = second.with(new Map([['a', ABSENT]]));
  assert.deepEqual(first.keysChangedUntil(third), new Set(['b', 'a']));
  assert.deepEqual(third.keysChangedUntil(third), new Set());
  assert.equal(third.keysChangedUntil(first), undefined);
});

test('listChanges() finds what came and went, wherever it was', () => {
  const unique = fc.uniqueArray(fc.nat(20), { maxLength: 15 });
  fc.assert(
    fc.property(unique, unique, (before, after) => {
      const { removed, added } = listChanges(before, after);
      assert.deepEqual(new Set(removed), new Set(before.filter((one) => !after.includes(one))));
      assert.deepEqual(new Set(added), new Set(after.filter((one) => !before.includes(one))));
    }),
  );
});
