import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { affinity, node } from '../testing/resources.ts';
import { ResourceCache } from './resource_cache.ts';

const directory = mkdtempSync(join(tmpdir(), 'bgp-cache-'));
after(() => rmSync(directory, { recursive: true }));

const RESOURCES = [node('a', '192.168.80.100/24'), affinity('a', '10.244.1.0/26')];

function cacheAt(name: string, owner = 'a') {
  const clock = new FakeClock();
  const warnings: string[] = [];
  const log = { info: () => {}, warn: (message: string) => warnings.push(message) };
  const path = join(directory, name, 'resources.json');
  return { clock, warnings, path, cache: new ResourceCache(path, owner, clock, log) };
}

test('what was saved is loaded by the next process', async () => {
  const { cache, clock, path } = cacheAt('one');
  assert.deepEqual(await cache.load(), []);
  let reads = 0;
  for (let round = 0; round < 10; round++) {
    cache.save(() => {
      reads += 1;
      return RESOURCES;
    });
  }
  clock.advance(1_000);
  assert.equal(reads, 1, 'changes that follow at once are written together');
  assert.ok(!existsSync(`${path}.new`));
  assert.deepEqual(
    (await cacheAt('one').cache.load()).map(({ kind, metadata }) => [kind, metadata.name]),
    [
      ['Node', 'a'],
      ['BlockAffinity', 'a-10-244-1-0-26'],
    ],
  );
});

test('what another node or another boot wrote is not taken', async () => {
  const { cache, clock, path } = cacheAt('two');
  cache.save(() => RESOURCES);
  clock.advance(1_000);
  assert.deepEqual(await cacheAt('two', 'b').cache.load(), []);
  const stored = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...stored, bootId: 'earlier' }));
  assert.deepEqual(await cache.load(), []);
});

test('a broken file is said and costs nothing else', async () => {
  const { cache, clock, path, warnings } = cacheAt('three');
  cache.save(() => RESOURCES);
  clock.advance(1_000);
  writeFileSync(path, '{"bootId":');
  assert.deepEqual(await cache.load(), []);
  assert.deepEqual(warnings, ['cannot read what an earlier process remembered: starting without']);
});

test('close() writes what waits to be written, and nothing later', async () => {
  const { cache, clock, path } = cacheAt('four');
  cache.save(() => RESOURCES);
  cache.close();
  assert.equal((await cacheAt('four').cache.load()).length, RESOURCES.length);
  rmSync(path);
  clock.advance(5_000);
  assert.ok(!existsSync(path));
});
