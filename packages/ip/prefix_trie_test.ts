import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  comparePrefixes,
  firstAddress,
  formatPrefix,
  hostPrefix,
  type Prefix,
  PrefixTrie,
  parseAddress,
  parsePrefix,
  prefixContains,
  prefixOf,
} from './mod.ts';

// Few distinct bits, so that prefixes nest, collide and fork.
const prefixes: fc.Arbitrary<Prefix> = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 0, max: 32 }))
    .map(([bits, length]) => prefixOf({ family: 4, value: BigInt(bits) << 26n }, length)),
  fc
    .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 26, max: 32 }))
    .map(([bits, length]) => prefixOf({ family: 4, value: BigInt(bits) }, length)),
  fc
    .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 120, max: 128 }))
    .map(([bits, length]) => prefixOf({ family: 6, value: BigInt(bits) }, length)),
);
const operation = fc.record({
  kind: fc.constantFrom('set', 'set', 'delete'),
  prefix: prefixes,
  value: fc.nat(9),
});

class NaiveMap {
  readonly entries = new Map<string, { prefix: Prefix; value: number }>();

  sorted() {
    return [...this.entries.values()].toSorted((a, b) => comparePrefixes(a.prefix, b.prefix));
  }

  containing(inner: Prefix) {
    return this.sorted().filter((entry) => prefixContains(entry.prefix, inner));
  }
}

test('PrefixTrie behaves like a list searched from end to end', () => {
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 60 }),
      fc.array(prefixes),
      (operations, probes) => {
        const trie = new PrefixTrie<number>();
        const naive = new NaiveMap();
        for (const { kind, prefix, value } of operations) {
          const key = formatPrefix(prefix);
          if (kind === 'set') {
            trie.set(prefix, value);
            naive.entries.set(key, { prefix, value });
          } else {
            assert.equal(trie.delete(prefix), naive.entries.delete(key));
          }
          assert.equal(trie.size, naive.entries.size);
        }
        assert.deepEqual([...trie], naive.sorted());
        for (const probe of [...probes, ...operations.map((each) => each.prefix)]) {
          assert.equal(trie.get(probe), naive.entries.get(formatPrefix(probe))?.value);
          assert.equal(trie.has(probe), naive.entries.has(formatPrefix(probe)));
          assert.deepEqual(
            trie.longestMatch(firstAddress(probe)),
            naive.containing(hostPrefix(probe)).at(-1),
          );
          assert.deepEqual([...trie.covering(probe)], naive.containing(probe));
          assert.deepEqual(
            [...trie.covered(probe)],
            naive.sorted().filter((entry) => prefixContains(probe, entry.prefix)),
          );
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('longestMatch() prefers the longer prefix', () => {
  const trie = new PrefixTrie<string>();
  trie.set(parsePrefix('0.0.0.0/0'), 'default');
  trie.set(parsePrefix('10.244.0.0/16'), 'pool');
  trie.set(parsePrefix('10.244.58.192/26'), 'block');
  trie.set(parsePrefix('10.244.58.200/32'), 'borrowed');
  const at = (text: string) => trie.longestMatch(parseAddress(text))?.value;
  assert.equal(at('10.244.58.200'), 'borrowed');
  assert.equal(at('10.244.58.201'), 'block');
  assert.equal(at('10.244.1.1'), 'pool');
  assert.equal(at('192.0.2.1'), 'default');
  assert.equal(at('::1'), undefined);
});

test('an entry may hold undefined and is still an entry', () => {
  const trie = new PrefixTrie<undefined>();
  trie.set(parsePrefix('10.0.0.0/8'), undefined);
  assert.ok(trie.has(parsePrefix('10.0.0.0/8')));
  assert.equal(trie.size, 1);
  trie.clear();
  assert.deepEqual([...trie], []);
});
