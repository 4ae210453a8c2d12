import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Replacement, VersionedSet } from './versioned_set.ts';

type Item = { readonly name: string };

const rounds = fc.array(
  fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), isRemoved: fc.boolean() }), {
    maxLength: 4,
  }),
  { maxLength: 12 },
);

test('VersionedSet keeps every version as it was, and versions know how they came from each other', () => {
  fc.assert(
    fc.property(rounds, fc.array(fc.nat(20)), (some, reads) => {
      const now = new Map<string, Item>();
      const versions = [{ set: new VersionedSet<Item>(), plain: new Set<Item>() }];
      for (const round of some) {
        const replacements = round.map(({ name, isRemoved }): Replacement<Item> => {
          const one = { before: now.get(name), after: isRemoved ? undefined : { name } };
          if (one.after === undefined) now.delete(name);
          else now.set(name, one.after);
          return one;
        });
        const set = versions.at(-1)?.set.after(replacements);
        assert.ok(set);
        versions.push({ set, plain: new Set(now.values()) });
      }
      const last = versions.at(-1) as (typeof versions)[number];
      for (const { set, plain } of versions) {
        const changes = set.changesUntil(last.set);
        assert.deepEqual(new Set(changes?.removed), plain.difference(last.plain));
        assert.deepEqual(new Set(changes?.added), last.plain.difference(plain));
      }
      for (const at of [...reads, ...versions.keys()]) {
        const version = versions[at % versions.length];
        assert.deepEqual(new Set(version?.set.items), version?.plain);
        assert.equal(version?.set.items.length, version?.plain.size);
      }
    }),
  );
});

test('changesUntil() does not know sets of another origin', () => {
  const first = new VersionedSet(['a']);
  const second = first.after([{ before: undefined, after: 'b' }]);
  assert.equal(second.changesUntil(first), undefined);
  assert.equal(first.changesUntil(new VersionedSet(['a'])), undefined);
  assert.equal(second.after([{ before: 'c', after: undefined }]), second);
});
