import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_CONTEXT, decodeMessage, MessageFramer, type Update } from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { ExportPolicy } from '../policy/export_policy.ts';
import { type FilterRule, NO_FILTERS } from '../policy/route_filter.ts';
import type { PeerPolicy } from '../policy/types.ts';
import { LocRib, LOCAL as OWN } from '../rib/loc_rib.ts';
import type { Live, Peer } from './peer.ts';
import { UpdateGroups } from './update_groups.ts';

const LIVE = { negotiated: { sendContext: DEFAULT_CONTEXT, families: [4] } } as unknown as Live;
const TELLS: PeerPolicy = {
  address: parseAddress('192.0.2.77'),
  isInternal: true,
  isReflectorClient: false,
  nextHopMode: 'Auto',
  localAsn: 64_512,
  allowedOwnAs: 0,
  filters: NO_FILTERS,
};
const REJECT = { name: '', accepts: false } as FilterRule;
const TELLS_NOTHING: PeerPolicy = {
  ...TELLS,
  filters: { ...NO_FILTERS, export: { 4: [REJECT], 6: [REJECT] } },
};
const POLICY = new ExportPolicy({
  asn: 64_512,
  routerId: 2,
  clusterId: 2,
  address: { 4: parseAddress('192.0.2.2'), 6: undefined },
  subnet: { 4: undefined, 6: undefined },
  pools: [],
  serviceRanges: [],
  advertisements: [],
});
const SLICE = 500;

/** Two peers that are told the same, and both know `count` prefixes. */
class Fixture {
  readonly rib = new LocRib();
  readonly one = peer(7);
  readonly two = peer(8);
  readonly groups = new UpdateGroups(
    this.rib,
    new Map(Object.entries({ one: this.one, two: this.two })),
  );
  readonly #prefixes;

  constructor(count: number) {
    this.#prefixes = Array.from({ length: count }, (_, at) =>
      parsePrefix(`10.${at >> 8}.${at & 255}.0/24`),
    );
    for (const each of [this.one, this.two]) this.groups.join(each, LIVE, POLICY);
    this.update();
    const data = {
      attributes: { origin: 0, asPath: [], localPreference: 100 } as const,
      nextHop: parseAddress('192.0.2.9'),
    };
    for (const prefix of this.#prefixes) this.rib.put({ prefix, data, source: OWN });
    this.update();
    for (const each of [this.one, this.two]) assert.equal(follow(each).announced, count);
  }

  withdrawAll(): void {
    for (const prefix of this.#prefixes) this.rib.remove(prefix, OWN);
  }

  /** @returns how many times there was more to do */
  update(): number {
    let times = 0;
    while (this.groups.update(this.rib.settle(), SLICE)) times += 1;
    return times;
  }

  changePolicy(changed: Peer, policy: PeerPolicy): void {
    Object.assign(changed, { policy });
    this.groups.regroup([changed], POLICY);
  }

  /** @returns how many times there was something to do */
  part(): number {
    let times = 0;
    for (; this.groups.isParting; times++) this.groups.part(100);
    return times;
  }
}

function peer(source: number): Peer {
  return { policy: TELLS, live: LIVE, received: { source } } as unknown as Peer;
}

/** Tells the peer everything, and counts it. */
function follow({ advertised: { group, reader } }: Peer): {
  readonly announced: number;
  readonly withdrawn: number;
} {
  const told = { announced: 0, withdrawn: 0 };
  for (;;) {
    const bytes = group?.out.read(reader, SLICE);
    if (bytes === undefined) return told;
    const framer = new MessageFramer();
    framer.push(bytes);
    for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
      const update = decodeMessage(frame, DEFAULT_CONTEXT) as Update;
      told.announced += update.announced.length;
      told.withdrawn += update.withdrawn.length;
    }
  }
}

test('what was kept for a peer that has left is let go a slice at a time, and never forgotten', () => {
  const fixture = new Fixture(2_000);
  fixture.withdrawAll();
  fixture.update();
  assert.equal(follow(fixture.two).withdrawn, 2_000);
  assert.equal(fixture.rib.prefixes.size, 2_000);
  fixture.groups.leave(fixture.one);
  assert.ok(fixture.update() >= 3);
  assert.equal(fixture.rib.prefixes.size, 0);
});

test('a member whose policy changes parts bit by bit, and hears of what is new for it alone', () => {
  const fixture = new Fixture(1_000);
  const { one, two, groups, rib } = fixture;
  fixture.changePolicy(one, TELLS_NOTHING);
  assert.equal(fixture.part(), 11);
  assert.equal(groups.size, 2);
  assert.notEqual(one.advertised.group, two.advertised.group);
  fixture.update();
  assert.deepEqual(follow(one), { announced: 0, withdrawn: 1_000 });
  assert.deepEqual(follow(two), { announced: 0, withdrawn: 0 });
  assert.deepEqual([one.advertised.size, two.advertised.size], [0, 1_000]);
  fixture.withdrawAll();
  fixture.update();
  assert.deepEqual(follow(two), { announced: 0, withdrawn: 1_000 });
  fixture.update();
  assert.equal(rib.prefixes.size, 0);
});

test('whoever leaves while its table is copied leaves nothing behind', () => {
  for (const leavers of [['one'], ['two'], ['one', 'two']] as const) {
    const fixture = new Fixture(1_000);
    fixture.changePolicy(fixture.one, TELLS_NOTHING);
    fixture.groups.part(100);
    for (const name of leavers) fixture.groups.leave(fixture[name]);
    fixture.part();
    fixture.update();
    assert.equal(fixture.groups.size, 2 - leavers.length);
    fixture.withdrawAll();
    fixture.update();
    for (const each of [fixture.one, fixture.two]) follow(each);
    fixture.update();
    assert.equal(fixture.rib.prefixes.size, 0, leavers.join());
  }
});

test('a policy that changes again while a table is copied is the one that counts', () => {
  const fixture = new Fixture(1_000);
  const { one, two } = fixture;
  fixture.changePolicy(one, TELLS_NOTHING);
  fixture.groups.part(100);
  fixture.changePolicy(one, TELLS);
  fixture.groups.regroup([], POLICY);
  assert.ok(fixture.groups.isParting, 'what is under way goes on bit by bit');
  fixture.part();
  fixture.update();
  for (const each of [one, two]) {
    assert.deepEqual(follow(each), { announced: 0, withdrawn: 0 });
    assert.equal(each.advertised.size, 1_000);
  }
});

test('whoever comes anew while its table is copied is told everything', () => {
  const fixture = new Fixture(1_000);
  const { one, groups } = fixture;
  fixture.changePolicy(one, TELLS_NOTHING);
  groups.part(100);
  groups.leave(one);
  Object.assign(one, { policy: TELLS });
  groups.join(one, LIVE, POLICY);
  fixture.part();
  fixture.update();
  assert.equal(one.advertised.group, fixture.two.advertised.group);
  assert.deepEqual(follow(one), { announced: 1_000, withdrawn: 0 });
});
