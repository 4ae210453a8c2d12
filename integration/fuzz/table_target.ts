// UPDATE messages on their way through a routing table: import policy, decision, export policy.
import {
  DEFAULT_CONTEXT,
  encodeMessage,
  type PathAttributes,
  ProtocolError,
  type Update,
} from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { ExportPolicy } from '../../services/bgp/core/policy/export_policy.ts';
import { ImportJudge } from '../../services/bgp/core/policy/import_judge.ts';
import { ImportPolicy } from '../../services/bgp/core/policy/import_policy.ts';
import { NO_FILTERS } from '../../services/bgp/core/policy/route_filter.ts';
import { LocRib } from '../../services/bgp/core/rib/loc_rib.ts';
import { Reader } from '../../services/bgp/core/rib/out_reader.ts';
import { Inbound } from '../../services/bgp/core/speaker/inbound.ts';
import { UpdateGroup } from '../../services/bgp/core/speaker/update_group.ts';

const HEADER = 19;
const CONTEXT = { ...DEFAULT_CONTEXT, peerKind: 'external', extendedMessages: true } as const;
const LOCAL = {
  asn: 64_512,
  routerId: 2,
  clusterId: 2,
  address: { 4: parseAddress('192.0.2.2'), 6: parseAddress('2001:db8::2') },
  subnet: { 4: undefined, 6: undefined },
  pools: [],
  serviceRanges: [parsePrefix('0.0.0.0/0'), parsePrefix('::/0')],
  advertisements: [],
};
const PEER = {
  address: parseAddress('192.0.2.9'),
  isInternal: false,
  isReflectorClient: false,
  nextHopMode: 'Auto',
  localAsn: 64_512,
  allowedOwnAs: 0,
  filters: NO_FILTERS,
} as const;
const INTERNAL = { ...PEER, isInternal: true, isReflectorClient: true };
type GroupPeer = ConstructorParameters<typeof UpdateGroup>[2];
type GroupLive = ConstructorParameters<typeof UpdateGroup>[3];
type Agreed = ConstructorParameters<typeof Inbound>[3];

/** As long as two-octet AS numbers make a message: import policy adds to it (RFC 8326), export too. */
export const LONG_UPDATES: readonly Uint8Array[] = [60, 63, 64, 66, 120].map((segments) => {
  const asns = Array.from({ length: 255 }, () => 64_769);
  const attributes: PathAttributes = {
    origin: 0,
    asPath: Array.from({ length: segments }, () => ({ kind: 'sequence', asns }) as const),
    nextHop: parseAddress('192.0.2.9'),
    communities: [0xffff_0000],
  };
  const announced = [{ prefix: parsePrefix('10.0.0.0/24') }];
  const update: Update = { kind: 'update', withdrawn: [], announced, attributes, problems: [] };
  return encodeMessage(update, { ...CONTEXT, fourOctetAs: false });
});

/** Whether routes were let in. @param fourOctetAs what the peer speaks */
export function checkTable(bytes: Uint8Array, fourOctetAs: boolean): boolean {
  const rib = new LocRib();
  const peer = { kind: 'peer', peer: 'a', address: PEER.address, routerId: 1 } as const;
  const source = rib.paths.addSource({ ...peer, isInternal: false, isClient: false });
  const agreed = { context: { ...CONTEXT, fourOctetAs }, families: [4, 6] } as unknown as Agreed;
  const judge = new ImportJudge(rib, new ImportPolicy(LOCAL), PEER);
  try {
    new Inbound(rib, judge, source, agreed, false).apply(bytes.subarray(HEADER));
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
  }
  const changed = rib.settle();
  for (const policy of [PEER, INTERNAL]) {
    const live = { negotiated: { sendContext: CONTEXT, families: [4, 6] } };
    const exports = new ExportPolicy(LOCAL);
    const group = new UpdateGroup(
      rib,
      '',
      { policy } as GroupPeer,
      live as unknown as GroupLive,
      exports,
    );
    const reader = new Reader(99);
    group.out.join(reader);
    group.updateAll(changed);
    group.out.read(reader, changed.length);
    group.close();
  }
  return rib.size > 0;
}
