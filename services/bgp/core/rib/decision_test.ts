import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Community } from '@calico/bgp-wire';
import { formatAddress, parseAddress } from '@calico/ip';
import { path, RibFiller, sequence } from '../../testing/paths.ts';
import type { RibEntry } from './loc_rib.ts';
import type { Path } from './path.ts';

/** The decision among paths, told apart by who they come from. */
function decide(paths: readonly Path[]): Pick<RibEntry, 'best' | 'multipath'> {
  const table = new RibFiller();
  for (const each of paths) table.put(each);
  table.rib.settle();
  const entry = table.rib.entryOf(0);
  return { best: entry?.best, multipath: entry?.multipath ?? [] };
}

function sourceOf(from: Path | undefined): unknown {
  return from?.source;
}

function whyBetter(a: Path, b: Path): string | undefined {
  const table = new RibFiller();
  table.put(a);
  table.put(b);
  const [first = 0, second = 0] = [a, b].map((each) =>
    table.rib.paths.find(0, table.sourceOf(each), each.pathId),
  );
  return table.rib.decision.whyBetter(first, second);
}

const A = '192.168.80.101';
const B = '192.168.80.102';

/** Each: the better path, the worse, and the rule that says so. */
const ORDER: readonly (readonly [Path, Path, string])[] = [
  [path({ from: 'local' }), path({ localPreference: 900 }), 'originated here'],
  [
    path({ from: B, localPreference: 0, asPath: sequence(1, 2) }),
    path({ localPreference: 200, communities: [Community.LongLivedStale] }),
    'not stale for long',
  ],
  [path({ localPreference: 200 }), path({ from: B, asPath: [] }), 'higher local preference'],
  [path({}), path({ from: B, localPreference: 99 }), 'higher local preference'],
  [
    path({ from: B, asPath: sequence(1) }),
    path({ asPath: sequence(1, 2), origin: 0 }),
    'shorter AS path',
  ],
  [path({ from: B, origin: 0 }), path({ origin: 2 }), 'lower origin'],
  [
    path({ from: B, asPath: sequence(7), multiExitDiscriminator: 1 }),
    path({ asPath: sequence(7), multiExitDiscriminator: 2 }),
    'lower multi-exit discriminator',
  ],
  [
    path({ from: B, isInternal: false, asPath: sequence(7) }),
    path({ asPath: sequence(8), multiExitDiscriminator: 0 }),
    'external before internal',
  ],
  [path({ from: B, routerId: 1 }), path({ routerId: 2 }), 'lower router id'],
  [path({ from: B, originatorId: 1 }), path({ routerId: 2 }), 'lower router id'],
  [
    path({ from: B, routerId: 1, clusterList: [1] }),
    path({ originatorId: 1, clusterList: [1, 2] }),
    'shorter cluster list',
  ],
  [path({ from: A, routerId: 1 }), path({ from: B, routerId: 1 }), 'lower peer address'],
  [{ ...path(), pathId: 2 }, { ...path(), pathId: 3 }, 'lower path identifier'],
];

for (const [better, worse, rule] of ORDER) {
  test(`decide() prefers by: ${rule}`, () => {
    for (const paths of [
      [better, worse],
      [worse, better],
    ]) {
      const { best } = decide(paths);
      assert.deepEqual([sourceOf(best), best?.pathId], [better.source, better.pathId]);
    }
    assert.equal(whyBetter(better, worse), rule);
    assert.equal(whyBetter(worse, better), undefined);
  });
}

test('decide() compares MED among paths through one AS only, whatever the order', () => {
  const one = path({ from: '10.0.0.1', asPath: sequence(1), multiExitDiscriminator: 5 });
  const two = path({ from: '10.0.0.2', asPath: sequence(2), multiExitDiscriminator: 0 });
  const three = path({ from: '10.0.0.3', asPath: sequence(1), multiExitDiscriminator: 1 });
  for (const paths of [
    [one, two, three],
    [three, two, one],
    [two, one, three],
    [two, three, one],
  ]) {
    const { best } = decide(paths);
    assert.equal(sourceOf(best), two.source, 'the lowest router id among those left');
  }
});

test('decide() answers equal paths with different next hops as multipath', () => {
  const paths = [
    path({ from: B }),
    path({ from: A }),
    path({ from: '192.168.80.103', via: A }),
    path({ from: '192.168.80.104', localPreference: 50 }),
  ];
  const { best, multipath } = decide(paths);
  assert.equal(sourceOf(best), paths[1]?.source);
  assert.deepEqual(
    multipath.map(({ data }) => formatAddress(data.nextHop)),
    [A, B],
  );
});

test('decide() uses of equal paths with one next hop the best, in whatever order they come', () => {
  const best = path({ via: '192.168.80.1' });
  const others = ['103', '104', '105'].map((host) =>
    path({ from: `192.168.80.${host}`, via: '192.168.80.2' }),
  );
  const [beside] = others;
  for (const order of [others, others.toReversed()]) {
    const { multipath } = decide([best, ...order]);
    assert.deepEqual(multipath.map(sourceOf), [best, beside].map(sourceOf));
  }
});

test('a next hop that nobody has asked about yet is not used beside one that is known', () => {
  const table = new RibFiller();
  const { rib } = table;
  const tell = (host: number): void => {
    const each = path({ from: `192.168.80.10${host}`, via: `10.0.0.${host}` });
    table.put(each);
    rib.attributes.hops.noteTold(rib.attributes.hops.find(each.data.nextHop) as number);
  };
  const used = (): string => {
    rib.settle();
    const multipath = rib.entryOf(0)?.multipath ?? [];
    return multipath.map(({ data }) => formatAddress(data.nextHop)).join(' ');
  };
  tell(2);
  tell(3);
  assert.equal(used(), '10.0.0.2 10.0.0.3', 'of what is unknown all is as good');
  for (const host of [2, 3]) rib.setReachable(parseAddress(`10.0.0.${host}`), true, 7);
  tell(1);
  assert.equal(used(), '10.0.0.2 10.0.0.3');
  rib.setReachable(parseAddress('10.0.0.1'), true, 7);
  assert.equal(used(), '10.0.0.1 10.0.0.2 10.0.0.3');
});

test('decide() prefers the nearer next hop, and uses together only what is equally near', () => {
  const paths = ['1', '2', '3', '4'].map((host) =>
    path({ from: `192.168.80.10${host}`, via: `10.0.0.${host}` }),
  );
  const [first, second, third] = paths as [Path, Path, Path];
  const table = new RibFiller();
  const { rib } = table;
  const { hops } = rib.attributes;
  for (const each of paths) {
    table.put(each);
    hops.noteTold(hops.find(each.data.nextHop) as number);
  }
  const rowOf = (each: Path): number => rib.paths.find(0, table.sourceOf(each), 0);
  const costs = (...each: readonly number[]): string => {
    for (const [index, cost] of each.entries()) {
      rib.setReachable((paths[index] as Path).data.nextHop, true, cost);
    }
    const changed = rib.settle().length;
    const multipath = rib.entryOf(0)?.multipath ?? [];
    const best = rib.entryOf(0)?.best?.data.nextHop;
    const used = multipath.map(({ data }) => formatAddress(data.nextHop)).join(' ');
    return `${best && formatAddress(best)} of ${used}, ${changed} changed`;
  };
  assert.equal(costs(0, 0, 0, 0), '10.0.0.1 of 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4, 1 changed');
  assert.equal(costs(20, 5, 5, 20), '10.0.0.2 of 10.0.0.2 10.0.0.3, 1 changed');
  assert.equal(rib.decision.whyBetter(rowOf(second), rowOf(first)), 'nearer next hop');
  assert.equal(rib.decision.whyBetter(rowOf(first), rowOf(second)), undefined);
  assert.equal(rib.decision.whyBetter(rowOf(second), rowOf(third)), 'lower router id');
  assert.equal(costs(20, 5, 5, 30), '10.0.0.2 of 10.0.0.2 10.0.0.3, 0 changed');
  assert.equal(costs(1, 5, 5, 30), '10.0.0.1 of 10.0.0.1, 1 changed');
  rib.setReachable(first.data.nextHop, false);
  assert.equal(costs(), '10.0.0.2 of 10.0.0.2 10.0.0.3, 1 changed');
  assert.equal(costs(9), '10.0.0.2 of 10.0.0.2 10.0.0.3, 0 changed', 'back, and far');
  table.put(path({ from: '192.168.80.109', via: '10.0.0.4', isInternal: false }));
  assert.equal(costs(), '10.0.0.4 of 10.0.0.4, 1 changed', 'external comes first');
  for (const each of [...paths, path({ from: '192.168.80.109', via: '10.0.0.4' })]) {
    table.remove(each);
  }
  rib.settle();
  assert.equal(hops.hasFar, false);
});

test('decide() has no multipath beside an own route, and nothing for nothing', () => {
  const own = path({ from: 'local' });
  assert.deepEqual(decide([path({}), own]).multipath.map(sourceOf), [own.source]);
  assert.deepEqual(decide([]), { best: undefined, multipath: [] });
});

test('costs of next hops ask for no decision where every path is the only one, and count when another comes', () => {
  const table = new RibFiller();
  const { rib } = table;
  const { hops } = rib.attributes;
  const [near, far] = [
    path({ from: '192.168.80.102', via: '10.0.0.2' }),
    path({ from: '192.168.80.101', via: '10.0.0.1' }),
  ] as const;
  const tell = (each: typeof near, cost: number): void => {
    table.put(each);
    hops.noteTold(hops.find(each.data.nextHop) as number);
    rib.settle();
    rib.setReachable(each.data.nextHop, true, cost);
  };
  tell(far, 20);
  assert.equal(rib.isUnsettled, false);
  tell(near, 10);
  rib.settle();
  const used = rib.entryOf(0)?.multipath.map(({ data }) => formatAddress(data.nextHop));
  assert.deepEqual(used, ['10.0.0.2']);
});
