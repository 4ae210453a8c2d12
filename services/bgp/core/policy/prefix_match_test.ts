import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Family, type Prefix, parsePrefix } from '@calico/ip';
import { PrefixTable } from '../rib/prefix_table.ts';
import { matchesPrefix, type PrefixMatch, PrefixPattern } from './prefix_match.ts';

const TEXTS: Readonly<Record<Family, readonly string[]>> = {
  4: ['0.0.0.0/0', '10.0.0.0/8', '10.1.0.0/16', '10.1.1.0/24', '11.0.0.0/8', '10.1.1.128/32'],
  6: ['::/0', '2001:db8::/32', '2001:db8::/33', '2001:db8:0:1::/64', '2001:db8::1/128', '3000::/4'],
};
const OPERATORS = ['Equal', 'NotEqual', 'In', 'NotIn'] as const;
const LENGTHS = [undefined, { min: 0, max: 128 }, { min: 8, max: 16 }, { min: 24, max: 20 }];

test('a pattern matches by numbers of the table what it matches by big numbers', () => {
  const table = new PrefixTable();
  for (const texts of Object.values(TEXTS)) {
    const prefixes = texts.map((text) => parsePrefix(text));
    for (const match of prefixes.flatMap(matchesOf)) {
      const pattern = new PrefixPattern(match);
      for (const route of prefixes) {
        assert.equal(pattern.matches(table, table.intern(route)), matchesPrefix(match, route));
      }
    }
  }
});

function matchesOf(prefix: Prefix): PrefixMatch[] {
  return OPERATORS.flatMap((operator) => LENGTHS.map((lengths) => ({ operator, prefix, lengths })));
}
