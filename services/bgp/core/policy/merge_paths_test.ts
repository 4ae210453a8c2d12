import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AsPath,
  Community,
  formatAsPath,
  Origin,
  type PathAttributes,
} from '@calico/bgp-wire';
import * as fc from 'fast-check';
import { sequence } from '../../testing/paths.ts';
import { MergedPaths } from './merge_paths.ts';

function mergePaths(all: readonly PathAttributes[]): PathAttributes {
  const paths = new MergedPaths();
  for (const each of all) paths.add(each);
  return paths.merged;
}

function summary(...all: readonly PathAttributes[]): string {
  const { asPath = [], atomicAggregate = false } = mergePaths(all);
  return `[${formatAsPath(asPath)}]${atomicAggregate ? ' atomic' : ''}`;
}

function originOf(...all: readonly Origin[]): Origin | undefined {
  return mergePaths(all.map((origin) => ({ origin }))).origin;
}

test('routes of the own AS make an aggregate that hides nothing', () => {
  assert.equal(summary({ asPath: [] }, {}), '[]');
});

test('the path is what all begin with; what it leaves out is marked', () => {
  assert.equal(summary({ asPath: sequence(1, 2) }, { asPath: sequence(1, 2) }), '[1 2]');
  assert.equal(
    summary({ asPath: sequence(1, 2, 3) }, { asPath: sequence(1, 2, 4) }),
    '[1 2] atomic',
  );
  assert.equal(summary({ asPath: sequence(1, 2) }, { asPath: sequence(1) }), '[1] atomic');
  assert.equal(summary({ asPath: [] }, { asPath: sequence(65_010) }), '[] atomic');
});

test('sets are left out, segments of a confederation do not count', () => {
  const withSet: AsPath = [...sequence(1), { kind: 'set', asns: [2, 3] }];
  assert.equal(summary({ asPath: withSet }, { asPath: withSet }), '[1] atomic');
  assert.equal(
    summary({ asPath: [{ kind: 'confed-sequence', asns: [9] }, ...sequence(1)] }),
    '[1]',
  );
});

test('an atomic aggregate makes another, its aggregator is not named', () => {
  const part = { atomicAggregate: true, aggregator: { asn: 1, routerId: 2 } } as const;
  assert.equal(summary(part, {}), '[] atomic');
  assert.equal(mergePaths([part]).aggregator, undefined);
});

test('the least certain origin holds', () => {
  assert.equal(originOf(Origin.Igp, Origin.Igp), Origin.Igp);
  assert.equal(originOf(Origin.Igp, Origin.Egp), Origin.Egp);
  assert.equal(originOf(Origin.Incomplete, Origin.Egp), Origin.Incomplete);
});

test('all communities are carried, but none of an atomic aggregate, and none with a meaning of its own', () => {
  const large = { global: 1, local1: 2, local2: 3 };
  const parts = [
    { communities: [0x10002, Community.GracefulShutdown], largeCommunities: [large] },
    { communities: [0x10001, 0x10002], largeCommunities: [{ ...large }] },
  ];
  const merged = mergePaths(parts);
  assert.deepEqual(merged.communities, [0x10001, 0x10002]);
  assert.deepEqual(merged.largeCommunities, [large]);
  const atomic = mergePaths([...parts, { asPath: sequence(7) }]);
  assert.deepEqual([atomic.communities, atomic.largeCommunities], [undefined, undefined]);
});

test('order and repetition of the parts change nothing, and no AS number is made up', () => {
  const asPath = fc
    .array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 })
    .map((asns): AsPath => (asns.length === 0 ? [] : sequence(...asns)));
  fc.assert(
    fc.property(fc.array(asPath, { minLength: 1, maxLength: 5 }), (paths) => {
      const parts = paths.map((each) => ({ asPath: each }));
      const text = summary(...parts);
      assert.equal(summary(...parts.toReversed(), ...parts), text);
      const [, found = ''] = /^\[(.*)\]/.exec(text) ?? [];
      for (const path of paths) assert.ok(formatAsPath(path).startsWith(found));
    }),
  );
});

test('what has gone leaves nothing behind', () => {
  const part = fc.record({
    origin: fc.constantFrom(Origin.Igp, Origin.Egp, Origin.Incomplete),
    asPath: fc
      .array(fc.integer({ min: 1, max: 2 }), { maxLength: 3 })
      .map((asns): AsPath => (asns.length === 0 ? [] : sequence(...asns))),
    atomicAggregate: fc.boolean(),
    communities: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
    largeCommunities: fc.array(
      fc.nat(3).map((local2) => ({ global: 1, local1: 2, local2 })),
      { maxLength: 3 },
    ),
    onlyToCustomer: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(part, { minLength: 1 }), fc.array(part), (kept, gone) => {
      const paths = new MergedPaths();
      for (const each of gone) paths.add(each as PathAttributes);
      for (const each of kept) paths.add(each as PathAttributes);
      for (const each of gone) paths.remove(each as PathAttributes);
      assert.equal(paths.size, kept.length);
      assert.deepEqual(paths.merged, mergePaths(kept as PathAttributes[]));
    }),
  );
});
