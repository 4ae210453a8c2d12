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

type Step = readonly [come: readonly string[], gone: readonly number[]];
const steps = fc.array(fc.tuple(few, fc.array(fc.nat(30), { maxLength: 4 })), { maxLength: 30 });

/** Carries the steps out beside these prefixes, which stay. */
function follow(
  some: readonly Step[],
  base: readonly Prefix[],
  hasRanges: (here: readonly Prefix[]) => boolean,
): void {
  const live = new AddressElements(4, () => {});
  live.change([], base);
  let here: Prefix[] = [];
  for (const [texts, gone] of some) {
    const removed = here.filter((_, index) => gone.includes(index));
    const added = texts.map((text) => parsePrefix(text));
    here = [...here.filter((prefix) => !removed.includes(prefix)), ...added];
    live.change(removed, added);
    live.elements.take();
    assert.equal(live.hasRanges, hasRanges(here));
    assert.deepEqual(
      new Map(live.elements),
      addressElements(4, [...base, ...here], live.hasRanges),
    );
  }
}

test('elements follow the prefixes, whatever comes and goes together', () => {
  fc.assert(
    fc.property(steps, (some) => follow(some, [], (here) => here.some(isNet))),
    { numRuns: 500 },
  );
});

test('nets beside many addresses are written out, unless they hold more than those', () => {
  const base = Array.from({ length: 1000 }, (_, n) =>
    parsePrefix(`10.0.${n >> 7}.${2 * (n & 127)}/32`),
  );
  fc.assert(
    fc.property(steps, (some) =>
      follow(some, base, (here) => here.some(({ length }) => length === 0)),
    ),
    { numRuns: 20 },
  );
});
