// Most routes are judged without being decoded: the outcome is that of the policies all the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Community,
  DEFAULT_CONTEXT,
  encodeAttributes,
  type PathAttributes,
} from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { sequence } from '../../testing/paths.ts';
import { ExportPolicy } from '../policy/export_policy.ts';
import { ImportJudge } from '../policy/import_judge.ts';
import { ImportPolicy } from '../policy/import_policy.ts';
import { type FilterRule, NO_FILTERS, type PeerFilters } from '../policy/route_filter.ts';
import type { LocalPolicy, PeerPolicy } from '../policy/types.ts';
import { LocRib } from '../rib/loc_rib.ts';
import { Reader } from '../rib/out_reader.ts';
import type { Live, Peer } from './peer.ts';
import { UpdateGroup } from './update_group.ts';

const OWN = 64_512;
const LOCAL: LocalPolicy = {
  asn: OWN,
  routerId: 2,
  clusterId: 2,
  address: { 4: parseAddress('192.0.2.2'), 6: undefined },
  subnet: { 4: parsePrefix('192.0.2.0/24'), 6: undefined },
  pools: [{ prefix: parsePrefix('10.0.0.0/9'), isEnabled: true, isExported: true }],
  serviceRanges: [parsePrefix('10.128.0.0/12')],
  advertisements: [],
};
const LOCALS: readonly LocalPolicy[] = [
  LOCAL,
  { ...LOCAL, clusterId: undefined, serviceRanges: [] },
  { ...LOCAL, confederation: 65_000 },
  { ...LOCAL, takesAsSets: true },
  {
    ...LOCAL,
    advertisements: [{ prefix: parsePrefix('10.1.0.0/16'), add: { standard: [1], large: [] } }],
  },
];

const ANY: FilterRule = {
  name: 'rule',
  prefix: undefined,
  isFromPeers: false,
  interface: undefined,
  isInternal: undefined,
  community: undefined,
  asPathPrefix: undefined,
  localPreference: undefined,
  accepts: true,
  changes: undefined,
};
const within = (text: string, accepts: boolean): FilterRule => {
  return {
    ...ANY,
    accepts,
    prefix: { operator: 'In', prefix: parsePrefix(text), lengths: undefined },
  };
};
const marks = { id: 'x', prepend: [], add: { standard: [9], large: [] }, localPreference: 7 };
const FILTERS: readonly PeerFilters[] = [
  [],
  [ANY],
  [{ ...ANY, accepts: false }],
  [within('10.1.0.0/16', false), within('10.2.0.0/16', true)],
  [within('10.1.0.0/16', true), { ...ANY, accepts: false }],
  [{ ...within('10.1.0.0/16', true), changes: marks }],
  [{ ...ANY, isFromPeers: true, accepts: false }],
  [{ ...ANY, localPreference: 200, accepts: false }],
].map((rules) => ({ import: { 4: rules, 6: [] }, export: { 4: rules, 6: [] } }));

const PEER: PeerPolicy = {
  address: parseAddress('192.0.2.77'),
  isInternal: false,
  isReflectorClient: false,
  nextHopMode: 'Auto',
  localAsn: OWN,
  allowedOwnAs: 0,
  filters: NO_FILTERS,
};
const PEERS: readonly PeerPolicy[] = [
  PEER,
  { ...PEER, isInternal: true, isReflectorClient: true },
  { ...PEER, isInternal: true },
  { ...PEER, allowedOwnAs: 1, nextHopMode: 'Self' },
  { ...PEER, role: { own: 'customer', remoteAsn: 7 } },
];

const SETS: readonly PathAttributes[] = [
  {},
  { multiExitDiscriminator: 3, communities: [5] },
  { asPath: sequence(7, OWN, 8) },
  { asPath: [{ kind: 'confed-sequence', asns: [9] }] },
  { asPath: [...sequence(7), { kind: 'set', asns: [8, 9] }] },
  { localPreference: 200 },
  { originatorId: LOCAL.routerId },
  { originatorId: 77, clusterList: [2] },
  { originatorId: 77, clusterList: [5] },
  { nextHop: parseAddress('192.0.2.2') },
  { nextHop: parseAddress('203.0.113.1') },
  { onlyToCustomer: 6 },
  ...Object.values(Community).map((community) => ({ communities: [5, community] })),
];
const PREFIXES = ['10.1.1.0/24', '10.2.1.0/24', '10.129.0.0/16', '172.16.0.0/12'].map((text) =>
  parsePrefix(text),
);

test('routes come in as the import policy says, each asked for', () => {
  for (const local of LOCALS) {
    for (const peer of PEERS.flatMap((each) => FILTERS.map((filters) => ({ ...each, filters })))) {
      const rib = new LocRib();
      const policy = new ImportPolicy(local);
      const judge = new ImportJudge(rib, policy, peer);
      for (const id of intern(rib, peer)) {
        for (const prefix of PREFIXES) {
          const row = rib.prefixes.intern(prefix);
          const outcome = judge.judge(row, id);
          const expected = policy.import(prefix, rib.attributes.dataOf(id), peer);
          if (expected.kind === 'rejected') {
            assert.equal(rib.reasons.textOf(-1 - outcome), expected.reason);
          } else {
            assert.deepEqual(rib.attributes.dataOf(outcome), expected.data);
          }
        }
      }
    }
  }
});

test('routes go out as the export policy says, each asked for', () => {
  for (const local of LOCALS) {
    for (const peer of PEERS.flatMap((each) => FILTERS.map((filters) => ({ ...each, filters })))) {
      for (const isInternal of [true, false]) exportAll(local, peer, isInternal);
    }
  }
});

function exportAll(local: LocalPolicy, peer: PeerPolicy, isInternal: boolean): void {
  const rib = new LocRib();
  const source = rib.paths.addSource({
    kind: 'peer',
    peer: 'a',
    address: parseAddress('192.0.2.9'),
    routerId: 1,
    isInternal,
    isClient: false,
  });
  const live = { negotiated: { sendContext: DEFAULT_CONTEXT, families: [4] } };
  const exports = new ExportPolicy(local);
  const group = new UpdateGroup(
    rib,
    '',
    { policy: peer } as Peer,
    live as unknown as Live,
    exports,
  );
  const reader = new Reader(99);
  group.out.join(reader);
  // Two of each set, one after another, so that what was found out of the first serves the second.
  const sets = intern(rib, { ...peer, isInternal });
  for (const [index, id] of sets.entries()) {
    for (const at of [0, 1, 2, 3]) {
      const base = PREFIXES[at] as (typeof PREFIXES)[number];
      const prefix = rib.prefixes.intern({
        ...base,
        length: 32,
        value: base.value + BigInt(index),
      });
      rib.putRow(prefix, source, 0, id, id);
    }
  }
  const changed = rib.settle();
  group.updateAll(changed);
  while (group.out.read(reader, 100) !== undefined);
  for (const prefix of changed) {
    const expected = exports.export(rib.pathOf(rib.bestOf(prefix)), '', peer);
    const data = expected.kind === 'accepted' ? expected.data : undefined;
    assert.deepEqual(group.out.get(prefix, reader), data);
  }
}

/** As a peer tells them. */
function intern(rib: LocRib, { isInternal }: PeerPolicy): number[] {
  const peerKind = isInternal ? 'internal' : 'external';
  const context = { ...DEFAULT_CONTEXT, peerKind } as const;
  return SETS.flatMap((set) => {
    const nextHop = parseAddress('192.0.2.9');
    const attributes = { origin: 0, asPath: sequence(7), nextHop, ...set } as const;
    const bytes = encodeAttributes(attributes, DEFAULT_CONTEXT);
    const interned = rib.attributes.internWire(bytes, 0, bytes.length, undefined, context);
    return interned.kind === 'set' ? [interned.id] : [];
  });
}
