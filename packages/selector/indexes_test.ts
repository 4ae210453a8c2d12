import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { LabelIndex, type Labels, parseSelector, type Selector, SelectorIndex } from './mod.ts';

const TEXTS = [
  'all()',
  "a == 'x'",
  "a != 'x'",
  'has(a)',
  '!has(b)',
  "a in {'x','y'} && b == 'z'",
  "a == 'x' || b == 'y'",
  "a == 'x' && a == 'y'",
  "has(c) && c starts with 'x'",
  "b not in {'x'} && has(b)",
] as const;
const selectors = fc.array(fc.constantFrom(...TEXTS), { maxLength: 12 });
const value = fc.option(fc.constantFrom('x', 'y', 'z'));
const labels = fc
  .tuple(value, value, value)
  .map(
    ([a, b, c]): Labels =>
      Object.fromEntries(Object.entries({ a, b, c }).filter(([, one]) => one !== null)) as Labels,
  );

type Entry = { readonly selector: Selector };

test('SelectorIndex finds what matches, each once, after any additions and removals', () => {
  fc.assert(
    fc.property(selectors, fc.array(fc.nat(11)), labels, (texts, gone, object) => {
      const index = new SelectorIndex<Entry>();
      const entries = texts.map((text) => ({ selector: parseSelector(text) }));
      for (const entry of entries) index.add(entry);
      for (const at of gone) if (entries[at] !== undefined) index.delete(entries[at]);
      const expected = entries.filter(
        ({ selector }, at) => !gone.includes(at) && selector.matches(object),
      );
      const found = index.matching(object);
      assert.equal(new Set(found).size, found.length);
      assert.deepEqual(new Set(found), new Set(expected));
    }),
    { numRuns: 500 },
  );
});

test('SelectorIndex keeps nothing of selectors that are gone or were filed elsewhere', () => {
  fc.assert(
    fc.property(selectors, (texts) => {
      const index = new SelectorIndex<Entry>();
      const entries = texts.map((text) => ({ selector: parseSelector(text) }));
      for (const entry of entries) index.add(entry);
      for (const entry of entries) index.delete(entry);
      assert.deepEqual([index.size, [...index.labels]], [0, []]);
    }),
  );
});

test('LabelIndex finds what matches, after any additions, questions and removals', () => {
  fc.assert(
    fc.property(
      fc.array(labels, { maxLength: 12 }),
      fc.array(fc.nat(11)),
      selectors,
      (all, gone, texts) => {
        const index = new LabelIndex<{ readonly labels: Labels }>();
        const objects = all.map((one) => ({ labels: one }));
        const [early, late] = [objects.slice(0, 6), objects.slice(6)];
        for (const object of early) index.add(object);
        for (const text of texts) index.matching(parseSelector(text));
        for (const object of late) index.add(object);
        for (const at of gone) if (objects[at] !== undefined) index.delete(objects[at]);
        for (const text of TEXTS) {
          const selector = parseSelector(text);
          const expected = objects.filter(
            (object, at) => !gone.includes(at) && selector.matches(object.labels),
          );
          assert.deepEqual(new Set(index.matching(selector)), new Set(expected), text);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('SelectorIndex looks at few of many selectors', () => {
  const index = new SelectorIndex<Entry>();
  for (let n = 0; n < 10_000; n++) {
    index.add({ selector: parseSelector(`ns == 'n${n % 1000}' && role == 'web'`) });
  }
  assert.ok([...index.candidates({ ns: 'n7', role: 'web' })].length <= 25);
});
