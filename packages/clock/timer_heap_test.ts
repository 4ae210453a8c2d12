import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { TimerHeap } from './timer_heap.ts';

test('TimerHeap answers what is due in order of time, then of creation', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(20), { nil: undefined })), (steps) => {
      const heap = new TimerHeap();
      const model: { at: number; order: number }[] = [];
      for (const [order, at] of steps.entries()) {
        if (at === undefined) {
          heap.removeFirst();
          model.shift();
        } else {
          const timer = { at, order };
          heap.add(timer);
          model.push(timer);
          model.sort((a, b) => a.at - b.at || a.order - b.order);
        }
        assert.equal(heap.first, model[0]);
      }
    }),
  );
});
