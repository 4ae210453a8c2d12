import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { listChanges } from './policy/graph/list_changes.ts';
import { type ResourceChange, ResourceList } from './resource_list.ts';

type Item = { readonly name: string };

test('a list follows changes, and its versions know how they came from each other', () => {
  const step = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), isRemoved: fc.boolean() });
  fc.assert(
    fc.property(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 12 }), (rounds) => {
      const now = new Map<string, Item>();
      const list = new ResourceList<Item>([]);
      for (const round of rounds) {
        const before = list.items;
        const was = new Set(before);
        const changes = round.map(({ name, isRemoved }): ResourceChange<Item> => {
          const change = { before: now.get(name), after: isRemoved ? undefined : { name } };
          if (change.after === undefined) now.delete(name);
          else now.set(name, change.after);
          return change;
        });
        list.change(changes);
        assert.deepEqual(new Set(list.items), new Set(now.values()));
        assert.equal(list.items.length, now.size);
        const { removed, added } = listChanges(before, list.items);
        assert.deepEqual(new Set(removed), was.difference(new Set(list.items)));
        assert.deepEqual(new Set(added), new Set(list.items).difference(was));
      }
    }),
  );
});
