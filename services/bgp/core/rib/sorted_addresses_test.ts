import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, parseAddress, parsePrefix, prefixContains, prefixOf } from '@calico/ip';
import { seededRandom } from '../../testing/simulated_network.ts';
import { PrefixTable } from './prefix_table.ts';
import { SortedAddresses } from './sorted_addresses.ts';

test('a prefix leads to the addresses inside of it', () => {
  const random = seededRandom(3);
  const pick = (count: number): number => Math.floor(random() * count);
  const table = new PrefixTable();
  const addresses = new SortedAddresses();
  const held = new Map<string, Address>();
  const someAddress = (): Address =>
    parseAddress(
      random() < 0.5
        ? `${[10, 192, 255][pick(3)]}.0.${pick(4)}.${pick(4)}`
        : `${['2001:db8', 'fd00', 'ffff'][pick(3)]}::${pick(3)}:${pick(4)}`,
    );
  for (let step = 0; step < 4_000; step++) {
    const address = someAddress();
    const key = `${address.family} ${address.value}`;
    if (random() < 0.5) {
      addresses.add(address);
      held.set(key, address);
    } else {
      addresses.delete(address);
      held.delete(key);
    }
    const inside = someAddress();
    assert.equal(addresses.has(inside), held.has(`${inside.family} ${inside.value}`));
    const prefix = prefixOf(inside, pick(inside.family === 4 ? 33 : 129));
    const id = table.intern(prefix);
    const expected = [...held.values()].some((each) => prefixContains(prefix, each));
    assert.equal(addresses.hasInside(table, id), expected);
    table.release(id);
  }
  assert.equal(new SortedAddresses().hasInside(table, table.intern(parsePrefix('::/0'))), false);
});

function at(value: number): Address {
  return { family: 4, value: BigInt(value) };
}

test('very many addresses come and go in any order', () => {
  const random = seededRandom(5);
  const table = new PrefixTable();
  const addresses = new SortedAddresses();
  const held = new Set<number>();
  const check = (): void => {
    for (let step = 0; step < 2_000; step++) {
      const value = Math.floor(random() * 2 ** 16);
      assert.equal(addresses.has(at(value)), held.has(value));
      const id = table.intern(prefixOf(at(value), 30));
      const first = value - (value % 4);
      const isInside = [0, 1, 2, 3].some((more) => held.has(first + more));
      assert.equal(addresses.hasInside(table, id), isInside);
      table.release(id);
    }
  };
  const values = Array.from({ length: 10_000 }, () => Math.floor(random() * 2 ** 16));
  for (const value of values) {
    addresses.add(at(value));
    held.add(value);
  }
  check();
  for (const value of values.slice(0, 9_000)) {
    addresses.delete(at(value));
    held.delete(value);
  }
  check();
  for (const value of held) addresses.delete(at(value));
  held.clear();
  check();
});
