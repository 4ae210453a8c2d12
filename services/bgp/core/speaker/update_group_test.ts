import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_CONTEXT, type PathAttributes } from '@calico/bgp-wire';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import { sequence } from '../../testing/paths.ts';
import { ExportPolicy } from '../policy/export_policy.ts';
import { NO_FILTERS } from '../policy/route_filter.ts';
import type { LocalPolicy, PeerPolicy } from '../policy/types.ts';
import { Reader } from '../rib/adj_rib_out.ts';
import { LocRib } from '../rib/loc_rib.ts';
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
  const live = { negotiated: { sendContext: DEFAULT_CONTEXT, families: [4, 6] } };
  const exports = new ExportPolicy(local);
  const group = new UpdateGroup(rib, '', { policy } as Peer, live as unknown as Live, exports);
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
