import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparePrefixes, parsePrefix, prefixContains } from '@calico/ip';
import { PrefixSpan } from './prefix_span.ts';
import { PrefixTable } from './prefix_table.ts';

const PREFIXES = [
  '0.0.0.0/0',
  '10.0.0.0/8',
  '10.0.0.0/24',
  '10.0.1.0/24',
  '10.1.0.0/16',
  '192.0.2.7/32',
  '::/0',
  '2001:db8::/32',
  '2001:db8::/64',
  '2001:db8:0:0:8000::/80',
  '2001:db8::1/128',
].map((text) => parsePrefix(text));

test('a span holds what comparePrefixes() and prefixContains() say', () => {
  const table = new PrefixTable();
  for (const prefix of PREFIXES) {
    const id = table.intern(prefix);
    for (const limit of PREFIXES) {
      const order = comparePrefixes(prefix, limit);
      const isIn = prefixContains(limit, prefix);
      const holds = (limits: ConstructorParameters<typeof PrefixSpan>[0]) =>
        new PrefixSpan(limits).holds(table, id);
      assert.equal(holds({ after: limit }), order > 0);
      assert.equal(holds({ upTo: limit }), order <= 0);
      assert.equal(holds({ within: limit }), isIn);
      assert.equal(holds({ within: limit, after: limit }), isIn && order > 0);
      assert.equal(holds({}), true);
    }
  }
});
