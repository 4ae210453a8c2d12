import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Prefix, parsePrefix } from '@calico/ip';
import * as fc from 'fast-check';
import { addressElements, isNet } from '../compiler/set_builder.ts';
import { AddressElements } from './address_elements.ts';

const TEXTS = [
  ...Array.from({ length: 16 }, (_, n) => `10.0.0.${n}/32`),
  ...Array.from({ length: 8 }, (_, n) => `10.0.0.${2 * n}/31`),
  '10.0.0.0/28',
  '10.0.0.8/29',
  '10.0.0.0/30',
  '0.0.0.0/0',
  '255.255.255.255/32',
  '10.0.0.16/28',
];
const few = fc.array(fc.constantFrom(...TEXTS.slice(0, 24), ...TEXTS), { maxLength: 4 });

test('elements follow the prefixes, whatever comes and goes together', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(few, fc.array(fc.nat(30), { maxLength: 4 })), { maxLength: 30 }),
      (steps) => {
        const live = new AddressElements(4, () => {});
        let here: Prefix[] = [];
        for (const [texts, gone] of steps) {
          const removed = here.filter((_, index) => gone.includes(index));
          const added = texts.map((text) => parsePrefix(text));
          here = [...here.filter((prefix) => !removed.includes(prefix)), ...added];
          live.change(removed, added);
          live.elements.take();
          assert.equal(live.hasNets, here.some(isNet));
          assert.deepEqual(new Map(live.elements), addressElements(4, here, live.hasNets));
        }
      },
    ),
    { numRuns: 500 },
  );
});
