import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parsePrefix } from '@calico/ip';
import { path } from '../../testing/paths.ts';
import { LocRib } from './loc_rib.ts';

test('settle() answers what changed, once', () => {
  const rib = new LocRib();
  const first = path({ from: '10.0.0.1' });
  rib.put(first);
  const changed = rib.settle();
  assert.deepEqual(
    changed.map(({ prefix, best }) => [formatPrefix(prefix), best]),
    [['10.244.85.192/26', first]],
  );
  assert.deepEqual(rib.settle(), []);
});

test('settle() says nothing when a change comes and goes before it', () => {
  const rib = new LocRib();
  const first = path({ from: '10.0.0.1' });
  const second = path({ from: '10.0.0.2', localPreference: 900 });
  rib.put(first);
  rib.settle();
  rib.put(second);
  rib.remove(second.prefix, second.source);
  assert.deepEqual(rib.settle(), []);
  rib.put({ ...second, prefix: parsePrefix('10.0.0.0/8') });
  rib.remove(parsePrefix('10.0.0.0/8'), second.source);
  assert.deepEqual(rib.settle(), []);
  assert.equal(rib.size, 1);
});

test('put() replaces the path of the same source', () => {
  const rib = new LocRib();
  rib.put(path({ from: '10.0.0.1' }));
  const newer = path({ from: '10.0.0.1', via: '10.0.0.9' });
  rib.put(newer);
  rib.settle();
  assert.deepEqual(rib.get(newer.prefix)?.candidates, [newer]);
});

test('remove() of the last path leaves no entry and is told', () => {
  const rib = new LocRib();
  const only = path({});
  rib.put(only);
  rib.settle();
  rib.remove(only.prefix, only.source);
  const [gone] = rib.settle();
  assert.equal(gone?.best, undefined);
  assert.equal(rib.size, 0);
  assert.equal(rib.get(only.prefix), undefined);
});

test('a change of the multipath alone is a change', () => {
  const rib = new LocRib();
  const first = path({ from: '10.0.0.1' });
  const second = path({ from: '10.0.0.2' });
  rib.put(first);
  rib.settle();
  rib.put(second);
  assert.equal(rib.settle().length, 1);
  assert.deepEqual(rib.get(first.prefix)?.multipath, [first, second]);
});
