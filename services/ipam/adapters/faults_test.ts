import { test } from 'node:test';
import * as fc from 'fast-check';
import { chooserOf, FaultWorld } from './fault_world.ts';
import { RecordMapStore } from './record_map_store.ts';

test('whatever fails, waits or comes late, and in whatever order: one owner, no orphans, nothing lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), (seed) => {
      const store = new RecordMapStore();
      let seen = 0n;
      const look = () => {
        if (store.records.revision === seen) return undefined;
        seen = store.records.revision;
        return store.records.values;
      };
      return new FaultWorld(store, chooserOf(seed), look).play(4, 6);
    }),
    { numRuns: 150 },
  );
});
