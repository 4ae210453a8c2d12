import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { ServiceCache } from './service_cache.ts';

const directory = mkdtempSync(join(tmpdir(), 'bgp-services-'));
after(() => rmSync(directory, { recursive: true }));

function cacheAt(name: string, node = 'a') {
  const clock = new FakeClock();
  const warnings: string[] = [];
  const log = { info: () => {}, warn: (message: string) => warnings.push(message) };
  const path = join(directory, name, 'services.json');
  return { clock, warnings, path, cache: new ServiceCache(path, node, clock, log) };
}

test('what was announced last is loaded by the next process of this node and boot', () => {
  const { cache, clock, path } = cacheAt('one');
  assert.deepEqual(cache.load(), []);
  let announced = ['192.0.2.1/32'];
  cache.save(() => announced);
  cache.save(() => announced);
  announced = ['192.0.2.1/32', '2001:db8::1/128'];
  clock.advance(1_000);
  assert.deepEqual(cacheAt('one').cache.load(), announced);
  assert.deepEqual(cacheAt('one', 'b').cache.load(), []);
  const stored = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...stored, bootId: 'earlier' }));
  assert.deepEqual(cache.load(), []);
});

test('what waits to be written at the stop is loaded by the next process', () => {
  const { cache, clock } = cacheAt('stop');
  cache.save(() => ['192.0.2.1/32']);
  clock.advance(1_000);
  let announced: string[] = [];
  cache.save(() => announced);
  announced = ['192.0.2.2/32'];
  cache.close();
  assert.deepEqual(cacheAt('stop').cache.load(), announced);
  announced = ['192.0.2.3/32'];
  clock.advance(1_000);
  cache.close();
  assert.deepEqual(cacheAt('stop').cache.load(), ['192.0.2.2/32'], 'it is written once');
});

test('a file with something else in it is said, and not used', () => {
  const { cache, clock, path, warnings } = cacheAt('two');
  cache.save(() => []);
  clock.advance(1_000);
  const stored = JSON.parse(readFileSync(path, 'utf8')) as object;
  for (const announced of [['192.0.2'], undefined, [7]]) {
    writeFileSync(path, JSON.stringify({ ...stored, announced }));
    assert.deepEqual(cache.load(), []);
  }
  assert.equal(warnings.length, 3);
});
