import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_CONTEXT, encodeAttributes } from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { path, sequence } from '../../testing/paths.ts';
import { addCommunities } from '../policy/route_filter.ts';
import { AdjRibIn } from './adj_rib_in.ts';
import { AttributeTable, fits } from './attribute_table.ts';
import { LocRib } from './loc_rib.ts';

const nextHop = parseAddress('192.0.2.9');

function longPath(count: number) {
  const asPath = sequence(...Array.from({ length: count }, (_, index) => index + 1));
  return { attributes: { origin: 0, asPath, localPreference: 100 }, nextHop } as const;
}

test('a set that is too long has no number', () => {
  const table = new AttributeTable();
  for (const [count, isHeld] of [
    [16_345, true],
    [16_346, false],
    [40_000, false],
  ] as const) {
    const id = table.intern(longPath(count));
    assert.equal(fits(longPath(count)), isHeld);
    assert.equal(id >= 0, isHeld, `${count}`);
    if (isHeld) table.release(id);
  }
  assert.equal(table.size, 0);
  assert.deepEqual([...table.nextHops()], []);
});

test('routes whose attributes are too long are not put, and go when a mark makes them so', () => {
  const rib = new LocRib();
  const received = new AdjRibIn(rib, path().source);
  const { source } = received;
  const [short, long] = ['10.1.0.0/24', '10.2.0.0/24'].map((text) => parsePrefix(text));
  assert.ok(short !== undefined && long !== undefined);
  assert.equal(rib.put({ prefix: long, data: longPath(16_346), source }), false);
  assert.equal(rib.prefixes.find(long), -1);
  assert.equal(rib.put({ prefix: short, data: longPath(3), source }), true);
  assert.equal(rib.put({ prefix: long, data: longPath(16_345), source }), true);
  const mark = { standard: [1], large: [] };
  const ageOne = (from: number): number =>
    received.age(
      [4],
      from,
      { rows: 9, paths: 1 },
      (data) => addCommunities(data, mark),
      (_, id) => id,
    );
  assert.equal(ageOne(0), 1, 'a row at a time');
  assert.equal(ageOne(1), -1);
  rib.settle();
  assert.deepEqual(
    [...received].map(({ prefix }) => prefix),
    [short],
  );
});

test('the next hop of a set that a client has made counts as told when a peer says the same', () => {
  const table = new AttributeTable();
  const data = longPath(2);
  const id = table.intern(data);
  assert.equal(table.hops.hasUnasked, false);
  const bytes = encodeAttributes({ ...data.attributes, nextHop }, DEFAULT_CONTEXT);
  const told = table.internWire(bytes, 0, bytes.length, undefined, DEFAULT_CONTEXT);
  assert.deepEqual(told, { kind: 'set', id, problems: [] });
  assert.deepEqual(table.hops.takeUnasked(9), [nextHop]);
});
