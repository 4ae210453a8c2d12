import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_CONTEXT, type PathAttributes } from '@calico/bgp-wire';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import { sequence } from '../../testing/paths.ts';
import { ExportPolicy } from '../policy/export_policy.ts';
import { type FilterRule, NO_FILTERS } from '../policy/route_filter.ts';
import type { LocalPolicy, PeerPolicy } from '../policy/types.ts';
import { LocRib, LOCAL as OWN } from '../rib/loc_rib.ts';
import { Reader } from '../rib/out_reader.ts';
import type { Live, Peer } from './peer.ts';
import { UpdateGroup } from './update_group.ts';

const LOCAL: LocalPolicy = {
  asn: 64_512,
  routerId: 2,
  clusterId: 2,
  address: { 4: parseAddress('192.0.2.2'), 6: parseAddress('2001:db8::2') },
  subnet: { 4: undefined, 6: undefined },
  pools: [],
  serviceRanges: [parsePrefix('10.96.0.0/12'), parsePrefix('fd00:96::/64')],
  advertisements: [],
};
const INTERNAL: PeerPolicy = {
  address: parseAddress('192.0.2.77'),
  isInternal: true,
  isReflectorClient: true,
  nextHopMode: 'Auto',
  localAsn: 64_512,
  allowedOwnAs: 0,
  filters: NO_FILTERS,
};

const live = {
  negotiated: { sendContext: DEFAULT_CONTEXT, families: [4, 6] },
} as unknown as Live;

/** What a peer is told of routes that another has told, which all say the same. */
function told(
  prefixes: readonly string[],
  { via, ...more }: PathAttributes & { readonly via: string },
  policy: PeerPolicy,
  local = LOCAL,
): string[] {
  const rib = new LocRib();
  const source = rib.paths.addSource({
    kind: 'peer',
    peer: 'a',
    address: parseAddress('192.0.2.9'),
    routerId: 1,
    isInternal: true,
    isClient: true,
  });
  const exports = new ExportPolicy(local);
  const group = new UpdateGroup(rib, '', { policy } as Peer, live, exports);
  const reader = new Reader(99);
  group.out.join(reader);
  const attributes = { origin: 0, asPath: [], localPreference: 100, ...more } as const;
  for (const prefix of prefixes) {
    const data = { attributes, nextHop: parseAddress(via) };
    rib.put({ prefix: parsePrefix(prefix), data, source });
  }
  group.updateAll(rib.settle());
  group.out.read(reader, 100);
  return [...group.out.entries(reader)].map(
    ({ prefix, data }) => `${formatPrefix(prefix)} via ${formatAddress(data.nextHop)}`,
  );
}

test('an address family does not get the next hop of the other', () => {
  const prefixes = ['fd00:96::/64', '10.96.0.0/12'];
  const expected = ['fd00:96::/64 via 2001:db8::9', '10.96.0.0/12 via 192.0.2.2'];
  assert.deepEqual(told(prefixes, { via: '2001:db8::9' }, INTERNAL), expected);
  // Advertisements make it judge each prefix.
  const advertisements = [
    { prefix: parsePrefix('10.0.0.0/24'), add: { standard: [1], large: [] } },
  ];
  assert.deepEqual(
    told(prefixes, { via: '2001:db8::9' }, INTERNAL, { ...LOCAL, advertisements }),
    expected,
  );
});

test('a route is not told when its attributes become too long on the way', () => {
  const via = '192.0.2.9';
  // The second is 65,532 octets long, and a reflector adds to it.
  for (const [count, expected] of [
    [16_340, ['10.96.0.0/12 via 192.0.2.9']],
    [16_345, []],
  ] as const) {
    const asPath = sequence(...Array.from({ length: count }, (_, index) => index + 1));
    assert.deepEqual(told(['10.96.0.0/12'], { via, asPath }, INTERNAL), expected, `${count}`);
  }
});

test('who is told nothing costs nothing, until another policy tells, and then forgets', () => {
  const rib = new LocRib();
  const exports = new ExportPolicy(LOCAL);
  const reject = { name: '', accepts: false } as FilterRule;
  const exportNothing = { 4: [reject], 6: [reject] };
  const policy: PeerPolicy = { ...INTERNAL, filters: { ...NO_FILTERS, export: exportNothing } };
  const silent = { policy } as Peer;
  const group = new UpdateGroup(rib, '', silent, live, exports);
  group.out.join(new Reader(99));
  const fill = (): void => {
    group.fill(1);
    while (!group.isFilled) group.fill(1);
  };
  const put = (prefix: string): void => {
    const data = { attributes: { origin: 0 }, nextHop: parseAddress('0.0.0.0') } as const;
    rib.put({ prefix: parsePrefix(prefix), data, source: OWN });
    group.updateAll(rib.settle());
  };
  put('10.96.0.0/16');
  put('10.97.0.0/16');
  group.fill(1);
  assert.ok(group.isFilled);
  assert.equal(group.out.size, 0);
  group.refill('', { policy: INTERNAL } as Peer, exports);
  fill();
  assert.equal(group.out.size, 2);
  group.refill('', silent, exports);
  put('10.98.0.0/16');
  fill();
  assert.equal(group.out.size, 0);
});

test('who joins between a loss and the decision about it is not told what has taken its place', () => {
  const rib = new LocRib();
  const exports = new ExportPolicy(LOCAL);
  const put = (prefix: string, localPreference: number): void => {
    const attributes = { origin: 0, asPath: [], localPreference } as const;
    const data = { attributes, nextHop: parseAddress('0.0.0.0') };
    rib.put({ prefix: parsePrefix(prefix), data, source: OWN });
  };
  put('10.96.0.0/16', 100);
  rib.settle();
  rib.remove(parsePrefix('10.96.0.0/16'), OWN);
  put('10.97.0.0/16', 200);
  const group = new UpdateGroup(rib, '', { policy: INTERNAL } as Peer, live, exports);
  const reader = new Reader(99);
  group.out.join(reader);
  while (!group.isFilled) group.fill(10);
  group.out.read(reader, 100);
  assert.deepEqual([...group.out.entries(reader)], []);
  group.updateAll(rib.settle());
  group.out.read(reader, 100);
  assert.deepEqual(
    Array.from(group.out.entries(reader), ({ prefix }) => formatPrefix(prefix)),
    ['10.97.0.0/16'],
  );
});
