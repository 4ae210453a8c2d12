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
