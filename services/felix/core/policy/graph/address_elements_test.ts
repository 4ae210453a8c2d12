import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Prefix, parsePrefix } from '@calico/ip';
import * as fc from 'fast-check';
import { selectedAddresses } from '../compiler/member_selections.ts';
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
  '10.0.0.0/27',
  '10.0.0.48/28',
  '10.0.0.32/27',
];
const nets = fc.array(fc.constantFrom(...TEXTS.slice(16)), { maxLength: 4 });
const few = fc.array(fc.constantFrom(...TEXTS.slice(0, 24), ...TEXTS), { maxLength: 4 });

type Step = readonly [come: readonly string[], gone: readonly number[]];
const steps = fc.array(
  fc.tuple(
    fc.oneof({ weight: 2, arbitrary: few }, { weight: 1, arbitrary: nets }),
    fc.array(fc.nat(30), { maxLength: 4 }),
  ),
  { maxLength: 30 },
);

/** Carries the steps out beside these prefixes, which stay; answers which forms there were. */
function follow(
  some: readonly Step[],
  { base = [], fewestBlocks }: { base?: readonly Prefix[]; fewestBlocks?: number } = {},
): ReadonlySet<string> {
  const live = new AddressElements(4, { onChange: () => {}, fewestBlocks });
  const forms = new Set<string>();
  live.change([], base);
  let here: Prefix[] = [];
  for (const [index, [texts, gone]] of some.entries()) {
    const removed = here.filter((_, at) => gone.includes(at));
    const added = texts.map((text) => parsePrefix(text));
    here = [...here.filter((prefix) => !removed.includes(prefix)), ...added];
    live.change(removed, added);
    // Several changes may become one version.
    if (index % 2 === 0) for (const { elements } of live.parts) elements.take();
    const expected = selectedAddresses(4, [...base, ...here], fewestBlocks);
    assert.equal(live.room, expected.room);
    assert.deepEqual(
      live.parts.map(({ form, elements }) => ({ form, elements: new Map(elements) })),
      expected.parts,
    );
    forms.add(live.parts.map(({ form }) => form).join());
  }
  return forms;
}

test('elements follow the prefixes, whatever comes and goes together', () => {
  fc.assert(
    fc.property(steps, (some) => void follow(some)),
    { numRuns: 500 },
  );
});

test('nets that come in numbers are blocks, and ranges again when they are few', () => {
  const forms = new Set<string>();
  fc.assert(
    fc.property(steps, (some) => {
      for (const one of follow(some, { fewestBlocks: 2 })) forms.add(one);
    }),
    { seed: 1, numRuns: 500 },
  );
  for (const one of ['32', 'ranges', '32,ranges', '30,ranges', '32,30,ranges'])
    assert.ok(forms.has(one), [...forms].join(' '));
});

test('few nets beside many addresses are ranges beside a hash', () => {
  const base = Array.from({ length: 2000 }, (_, n) =>
    parsePrefix(`10.0.${n >> 7}.${2 * (n & 127)}/32`),
  );
  fc.assert(
    fc.property(steps, (some) => {
      for (const one of follow(some, { base })) assert.match(one, /^32(,ranges)?$/u);
    }),
    { numRuns: 20 },
  );
});

/** Apart from each other. */
function netsFrom(first: number, count: number): Prefix[] {
  return Array.from({ length: count }, (_, n) =>
    parsePrefix(`10.${(first + n) >> 6}.${((first + n) & 63) << 2}.0/23`),
  );
}

test('six hundred ranges that come at once after others in the same version are all there is', () => {
  const live = new AddressElements(4, { onChange: () => {} });
  live.change([], netsFrom(0, 1));
  live.change(netsFrom(0, 1), netsFrom(1, 1));
  live.change(netsFrom(1, 1), netsFrom(100, 600));
  const [part] = live.parts;
  part?.elements.take();
  assert.deepEqual(
    new Map(part?.elements),
    selectedAddresses(4, netsFrom(100, 600)).parts[0]?.elements,
  );
});
