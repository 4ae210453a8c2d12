import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import { AttributeTable } from './attribute_table.ts';
import { GONE, OutEntries } from './out_entries.ts';
import { PrefixTable } from './prefix_table.ts';
import { ToldSets } from './told_sets.ts';

const [KEPT, DROPPED] = [1, 2];

class Fixture {
  readonly prefixes = new PrefixTable();
  readonly attributes = new AttributeTable();
  readonly entries = new OutEntries(this.prefixes, new ToldSets(this.attributes));

  /** @returns its entry */
  add(text: string, { path = 0, source = 1 } = {}): number {
    const prefix = this.prefixes.intern(parsePrefix(text));
    const attributes = this.set(path);
    const entry = this.entries.add(prefix, path, attributes, source);
    this.attributes.release(attributes);
    this.prefixes.release(prefix);
    return entry;
  }

  /** @returns a number that somebody has to release */
  set(localPreference: number): number {
    const attributes = { origin: 0 as const, asPath: [], localPreference };
    return this.attributes.intern({ attributes, nextHop: parseAddress('192.168.80.100') });
  }
}

function pathsOf(entries: OutEntries, prefix: number): number[] {
  const paths: number[] = [];
  for (let entry = entries.firstOf(prefix); entry !== 0; entry = entries.nextOf(entry)) {
    paths.push(entries.pathOf(entry));
  }
  return paths;
}

test('entries of a prefix are found one after another, and hold it and their attributes', () => {
  const fixture = new Fixture();
  const { entries, prefixes, attributes } = fixture;
  const added = [7, 8, 9].map((path) => fixture.add('10.1.0.0/16', { path }));
  const prefix = prefixes.find(parsePrefix('10.1.0.0/16'));
  assert.deepEqual(pathsOf(entries, prefix), [9, 8, 7]);
  entries.remove(added[1] as number);
  assert.deepEqual(pathsOf(entries, prefix), [9, 7]);
  assert.deepEqual([attributes.size, prefixes.size, entries.size], [2, 1, 2]);
  for (const entry of [added[2], added[0]]) entries.remove(entry as number);
  assert.equal(entries.firstOf(prefix), 0);
  assert.deepEqual([attributes.size, prefixes.size, entries.size], [0, 0, 0]);
});

test('what is gone keeps its source and its prefix, and counts no more', () => {
  const fixture = new Fixture();
  const { entries, attributes } = fixture;
  const entry = fixture.add('10.1.0.0/16', { source: 3 });
  fixture.add('10.2.0.0/16', { source: 4 });
  entries.setAttributes(entry, GONE, 9);
  assert.ok(entries.isGone(entry));
  assert.equal(entries.sourceOf(entry), 3);
  assert.deepEqual([entries.size, entries.countOf(3), entries.countOf(4)], [1, 0, 1]);
  const back = fixture.set(5);
  entries.setAttributes(entry, back, 9);
  attributes.release(back);
  assert.deepEqual([entries.sourceOf(entry), entries.size, entries.countOf(9)], [9, 2, 1]);
});

test('a copy has the same entries in the same rows, and is as free of the first as another table', () => {
  const fixture = new Fixture();
  const { entries, prefixes, attributes } = fixture;
  const texts = Array.from({ length: 100 }, (_, index) => `10.${index}.0.0/16`);
  const added = texts.map((text, path) => fixture.add(text, { path, source: path % 3 }));
  entries.remove(added[50] as number);
  entries.mark(added[1] as number, KEPT | DROPPED);
  const copy = entries.beginCopy();
  for (let start = 0; start < 101; start += 10) entries.copyTo(copy, start, start + 10, KEPT);
  assert.deepEqual(
    [copy.has(added[1] as number, KEPT), copy.has(added[1] as number, DROPPED)],
    [true, false],
  );
  for (const entry of added) if (entries.prefixOf(entry) >= 0) entries.remove(entry);
  assert.deepEqual([prefixes.size, attributes.size], [99, 99]);
  for (const [path, text] of texts.entries()) {
    if (path === 50) continue;
    const prefix = prefixes.find(parsePrefix(text));
    assert.equal(copy.firstOf(prefix), added[path]);
    assert.deepEqual(pathsOf(copy, prefix), [path]);
  }
  assert.deepEqual([copy.size, copy.countOf(0), copy.countOf(2)], [99, 34, 32]);
  const prefix = prefixes.intern(parsePrefix('10.50.0.0/16'));
  assert.equal(copy.add(prefix, 0, fixture.set(1_000), 1), added[50], 'its place is free here too');
  for (const entry of added) copy.remove(entry);
  assert.deepEqual(copy.size, 0);
});
