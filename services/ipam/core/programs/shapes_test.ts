// Pools and blocks of every shape: the smallest and the largest blocks, both families, reservations
// over anything, pools that fill up. Whatever the shape, addresses are given once, all that are free
// are given, and none that is reserved.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addressAt,
  addressBits,
  type Family,
  formatAddress,
  formatPrefix,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixContains,
  prefixOf,
  prefixSize,
} from '@calico/ip';
import * as fc from 'fast-check';
import { inconsistencies } from '../consistency.ts';
import { RecordMap } from '../record_map.ts';
import { assignIp } from './assign_ip.ts';
import { assignStep } from './auto_assign.ts';
import { releaseHandle } from './release.ts';
import { utilization } from './utilization.ts';

const NOW = 1_790_000_000_000;
const RESOURCES = '/calico/resources/v3/projectcalico.org';

type Shape = { readonly cidr: Prefix; readonly blockSize: number };

const START: Readonly<Record<Family, string>> = { 4: '10.0.0.0', 6: 'fd00:10:244::' };

function shape(family: Family, poolBits: number, blockBits: number): Shape {
  const bits = addressBits(family);
  const cidr = prefixOf(parseAddress(START[family]), bits - poolBits);
  return { cidr, blockSize: bits - Math.min(blockBits, poolBits) };
}

/** Small pools, with blocks of one address and more. */
const shapes = fc
  .tuple(
    fc.constantFrom<Family>(4, 6),
    fc.integer({ min: 0, max: 6 }),
    fc.integer({ min: 0, max: 6 }),
  )
  .map(([family, poolBits, blockBits]) => shape(family, poolBits, blockBits));

function records(pools: readonly Shape[], reserved: readonly string[] = []): RecordMap {
  const map = new RecordMap();
  map.put(
    `${RESOURCES}/ipamconfigurations/default`,
    JSON.stringify({ spec: { maxBlocksPerHost: 1000 } }),
  );
  for (const [index, { cidr, blockSize }] of pools.entries()) {
    const spec = { cidr: formatPrefix(cidr), blockSize };
    map.put(`${RESOURCES}/ippools/p${index}`, JSON.stringify({ spec }));
  }
  map.put(`${RESOURCES}/ipreservations/r`, JSON.stringify({ spec: { reservedCIDRs: reserved } }));
  return map;
}

/** All that the nodes get, in turn, until nobody gets more. */
function fill(map: RecordMap, nodes: number, wanted: Readonly<Record<Family, number>>): string[] {
  const taken: string[] = [];
  for (let i = 0; ; i++) {
    const before = taken.length;
    for (let node = 0; node < nodes; node++) {
      const owner = { handleId: `h${i}-${node}`, secondary: { node: `n${node}` } };
      const count = (family: Family) => ({ count: wanted[family], pools: [] });
      const request = { node: `n${node}`, owner, namespace: '', use: 'Workload' } as const;
      for (;;) {
        const step = map.run(
          assignStep({ ...request, wanted: { 4: count(4), 6: count(6) }, maxBlocks: 0 }, NOW),
        );
        if (!step.isComplete) continue;
        taken.push(...step.addresses.map(({ address }) => address));
        break;
      }
    }
    if (taken.length === before) return taken;
  }
}

function addressesOf({ cidr }: Shape): string[] {
  return Array.from({ length: Number(prefixSize(cidr)) }, (_, i) =>
    formatAddress(addressAt(cidr, i)),
  );
}

test('every address of a pool of any shape is given once, and nothing but those', () => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 3 }), (one, nodes) => {
      const map = records([one]);
      const { family } = one.cidr;
      const taken = fill(map, nodes, { 4: family === 4 ? 1 : 0, 6: family === 6 ? 1 : 0 });
      assert.deepEqual(taken.toSorted(), addressesOf(one).toSorted());
      assert.deepEqual(inconsistencies(map.values), []);
      assert.equal(map.run(utilization([], NOW))[0]?.free, 0n);
    }),
    { numRuns: 40 },
  );
});

test('what is reserved is never given, wherever reservations lie; a given address is', () => {
  const reservation = fc
    .tuple(fc.nat(63), fc.integer({ min: 0, max: 7 }))
    .map(([offset, bits]) => ({ offset, bits }));
  fc.assert(
    fc.property(shapes, fc.array(reservation, { maxLength: 5 }), (one, all) => {
      const { cidr } = one;
      const reserved = all.map(({ offset, bits }) =>
        prefixOf(
          { family: cidr.family, value: cidr.value + BigInt(offset) },
          addressBits(cidr.family) - bits,
        ),
      );
      const map = records([one], reserved.map(formatPrefix));
      const { family } = cidr;
      const taken = fill(map, 2, { 4: family === 4 ? 1 : 0, 6: family === 6 ? 1 : 0 });
      const free = addressesOf(one).filter(
        (text) => !reserved.some((prefix) => prefixContains(prefix, parseAddress(text))),
      );
      assert.deepEqual(taken.toSorted(), free.toSorted());
      const [use] = map.run(utilization([], NOW));
      assert.deepEqual([use?.inUse, use?.free], [free.length, 0n]);
      const forbidden = addressesOf(one).find((text) => !free.includes(text));
      if (forbidden !== undefined) {
        const owner = { handleId: 'by-name', secondary: {} };
        const address = parseAddress(forbidden);
        map.run(assignIp({ address, node: 'n0', owner, use: undefined }, NOW));
      }
      assert.deepEqual(inconsistencies(map.values), []);
    }),
    { numRuns: 60 },
  );
});

test('both families together: as long as both have addresses, one of each', () => {
  fc.assert(
    fc.property(fc.nat(4), fc.nat(4), fc.nat(3), (four, six, blockBits) => {
      const pools = [shape(4, four, blockBits), shape(6, six, blockBits)];
      const map = records(pools);
      const taken = fill(map, 2, { 4: 1, 6: 1 });
      assert.deepEqual(taken.toSorted(), pools.flatMap(addressesOf).toSorted());
      for (const key of map.values.keys()) {
        if (key.includes('/handle/')) map.run(releaseHandle(key.split('/').at(-1) ?? '', NOW));
      }
      assert.ok(map.run(utilization([], NOW)).every(({ inUse }) => inUse === 0));
      assert.deepEqual(inconsistencies(map.values), []);
    }),
    { numRuns: 30 },
  );
});

test('a block of 4,096 addresses is filled and emptied', () => {
  for (const cidr of ['10.0.0.0/20', 'fd00::/116']) {
    const { family } = parsePrefix(cidr);
    const length = addressBits(family) - 12;
    const map = records([{ cidr: parsePrefix(cidr), blockSize: length }]);
    const taken = fill(map, 1, { 4: family === 4 ? 1024 : 0, 6: family === 6 ? 1024 : 0 });
    assert.equal(new Set(taken).size, 4096);
    for (let i = 0; i < 4; i++) map.run(releaseHandle(`h${i}-0`, NOW));
    assert.equal(map.run(utilization([], NOW))[0]?.inUse, 0);
    assert.deepEqual(inconsistencies(map.values), []);
  }
});

test('a pool that is wholly reserved gives nothing, and says which pools it looked at', () => {
  const pool = shape(4, 4, 2);
  const map = records([pool], ['10.0.0.0/8']);
  const owner = { handleId: 'h', secondary: {} };
  const none = { count: 0, pools: [] };
  const request = { node: 'n1', owner, namespace: '', use: 'Workload' } as const;
  const step = map.run(
    assignStep({ ...request, wanted: { 4: { count: 1, pools: [] }, 6: none }, maxBlocks: 0 }, NOW),
  );
  assert.equal(step.obstacles.get(4), 'No IPs available in pools: [10.0.0.0/28]');
});

test('the limit of blocks holds for every shape, and says so when nothing can be borrowed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.nat(2), (limit, blockBits) => {
      const pool = shape(4, 6, blockBits);
      const map = records([pool]);
      const spec = { maxBlocksPerHost: limit, strictAffinity: true };
      map.put(`${RESOURCES}/ipamconfigurations/default`, JSON.stringify({ spec }));
      const taken = fill(map, 2, { 4: 1, 6: 0 });
      assert.equal(taken.length, 2 * limit * 2 ** blockBits);
      const owner = { handleId: 'more', secondary: {} };
      const request = { node: 'n0', owner, namespace: '', use: 'Workload' } as const;
      const none = { count: 0, pools: [] };
      const wanted = { 4: { count: 1, pools: [] }, 6: none };
      const step = map.run(assignStep({ ...request, wanted, maxBlocks: 0 }, NOW));
      assert.match(step.obstacles.get(4) ?? '', new RegExp(`limit of ${limit} blocks reached`));
    }),
    { numRuns: 15 },
  );
});
