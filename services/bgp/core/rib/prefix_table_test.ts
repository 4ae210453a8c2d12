import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, type Prefix, parsePrefix } from '@calico/ip';
import { PrefixTable } from './prefix_table.ts';

const texts = [
  '0.0.0.0/0',
  '10.0.0.0/8',
  '10.0.0.0/9',
  '255.255.255.255/32',
  '::/0',
  'fd00::/8',
  'fd00::/64',
  '2001:db8:1:2:3:4:5:6/128',
];

test('a prefix is known by its family, address and length', () => {
  const table = new PrefixTable();
  const ids = texts.map((text) => table.intern(parsePrefix(text)));
  assert.equal(new Set(ids).size, texts.length);
  for (const [index, text] of texts.entries()) {
    assert.equal(table.find(parsePrefix(text)), ids[index]);
    assert.equal(formatPrefix(table.prefixOf(ids[index] as number)), text);
  }
  assert.equal(table.find(parsePrefix('0.0.0.0/1')), -1);
});

/** Some in a row, some of which only the third octet differs, some of IPv6. */
function prefixAt(index: number): Prefix {
  if (index % 3 === 0) return { family: 4, length: 24, value: BigInt(index) << 8n };
  if (index % 3 === 1) return { family: 4, length: 32, value: (BigInt(index) << 8n) | 1n };
  return { family: 6, length: 64, value: BigInt(index) << 64n };
}

test('prefixes come and go while the table grows, and are found as long as they are held', () => {
  const table = new PrefixTable();
  const held = new Map<number, Prefix>();
  for (let index = 0; index < 20_000; index++) {
    held.set(table.intern(prefixAt(index)), prefixAt(index));
    if (index % 2 === 0) continue;
    const gone = table.find(prefixAt(index >>> 1));
    if (gone < 0) continue;
    table.release(gone);
    held.delete(gone);
    assert.equal(table.has(gone), false);
    assert.equal(table.find(prefixAt(index >>> 1)), -1);
  }
  assert.equal(table.size, held.size);
  for (const [id, prefix] of held) assert.equal(table.find(prefix), id);
  for (const id of held.keys()) table.release(id);
  assert.equal(table.size, 0);
});

test('octets of NLRI mean the same prefix, whatever is behind its length', () => {
  const table = new PrefixTable();
  const id = table.intern(parsePrefix('10.128.0.0/9'));
  assert.equal(table.findBytes(4, Uint8Array.of(10, 0xff), 0, 9), id);
  assert.equal(table.internBytes(4, Uint8Array.of(9, 10, 0x80, 7), 1, 9), id);
  assert.equal(table.findBytes(4, Uint8Array.of(10, 0x7f), 0, 9), -1);
  table.release(id);
  assert.equal(table.has(id), true);
});
