// Tables of other networks: two peers tell the same prefixes; a third is told some of them, a fourth all.
import {
  DEFAULT_CONTEXT,
  encodeAnnouncement,
  encodeWithdrawal,
  Origin,
  type PathAttributes,
  type WireContext,
} from '@calico/bgp-wire';
import { formatAddress, type Prefix, parseAddress } from '@calico/ip';
import type { ClusterResources } from '../cluster/resources.ts';
import {
  type Actor,
  addressOf,
  clusterWith,
  type Line,
  nlriOf,
  OWN_ASN,
  type Play,
  resource,
} from './play.ts';

const CONTEXT: WireContext = { ...DEFAULT_CONTEXT, peerKind: 'external' };
const PREFIXES = 320;
/** So many have the same attributes. */
const PER_SET = 2;
/** Below and above 128.0.0.0: the runtime has two kinds of numbers. */
const SPACES = [0x1000_0000, 0xc000_0000];
const SPACE_BITS = 20;
/** As most of the Internet's: none fills its last octet, or there are only three. */
const LENGTHS = [24, 24, 22, 24, 23, 20];

const EVERYTHING = { action: 'Accept' } as const;
const NOTHING = { action: 'Reject' } as const;
const SOME = { action: 'Accept', matchOperator: 'In', cidr: '192.0.0.0/8' } as const;
/** What each peer's filter lets through; undefined: it has none. */
const FILTERS = [
  { exportV4: [NOTHING], importV4: [EVERYTHING] },
  { exportV4: [NOTHING], importV4: [SOME, EVERYTHING] },
  { exportV4: [SOME, NOTHING], importV4: [EVERYTHING] },
  undefined,
];
const TELLERS = 2;
/** The runtime has two kinds of numbers here, too. */
const NEXT_HOPS = ['10.0.0.1', '192.0.2.101'].map(parseAddress);

/** @param programs whether routes go into the kernel */
export function tablePlay(
  scenes: number,
  slowScenes: number,
  programs: 'Enabled' | 'Disabled',
): Play {
  const actors = FILTERS.map((_, index) => actorOf(index + 1));
  const filters = FILTERS.flatMap((spec, index) =>
    spec === undefined ? [] : [resource('BGPFilter', `filter-${index}`, spec)],
  );
  const peers = actors.map(({ address, asn }, index) =>
    resource('BGPPeer', `peer-${index}`, {
      peerIP: formatAddress(address),
      asNumber: asn,
      ...(FILTERS[index] === undefined ? {} : { filters: [`filter-${index}`] }),
      passive: true,
    }),
  );
  const resources = (): ClusterResources => clusterWith(false, [...filters, ...peers], programs);
  return { resources, actors, atOnce: 1, scenes, slowScenes };
}

/** A table, another of the same prefixes, no more; a table again, and its end with the connection. */
function actorOf(number: number): Actor {
  const asn = OWN_ASN + number;
  function* lines(): Generator<void, readonly Line[], undefined> {
    if (number > TELLERS) return [];
    const table = announcements(number, asn, 0);
    yield;
    const another = announcements(number, asn, PREFIXES);
    yield;
    const nothing = encodeWithdrawal(4, nlriOf(0, PREFIXES, prefixAt), CONTEXT);
    return [table, another, nothing, table, 'leave'];
  }
  return { address: addressOf(number), asn, lines };
}

/** @param first number of the first set of attributes */
function announcements(number: number, asn: number, first: number): readonly Uint8Array[] {
  const nextHop = NEXT_HOPS[number - 1] ?? addressOf(number);
  const sets = Array.from({ length: PREFIXES / PER_SET }, (_, set) => set);
  return sets.flatMap((set) => {
    const attributes = attributesOf(asn, first + set);
    const nlri = nlriOf(set * PER_SET, PER_SET, prefixAt);
    return encodeAnnouncement({ family: 4, nextHop, attributes, nlri }, CONTEXT);
  });
}

function prefixAt(index: number): Prefix {
  const space = SPACES[index % SPACES.length] ?? 0;
  const length = LENGTHS[index % LENGTHS.length] ?? SPACE_BITS;
  return { family: 4, value: BigInt(space + index * 2 ** (32 - SPACE_BITS)), length };
}

/** Another set for nearly every number: some messages have what one before had. */
function attributesOf(asn: number, message: number): PathAttributes {
  const number = message - Number(message % 8 === 7);
  const hops = 2 + ((number + asn) % 4);
  const asns = Array.from({ length: hops }, (_, hop) => 1_000 + number * 7 + hop * 13);
  const communities = Array.from({ length: number % 5 }, (_, at) => (3_000 + at) * 65_536 + number);
  return {
    origin: Origin.Igp,
    asPath: [{ kind: 'sequence', asns: [asn, ...asns] }],
    ...(number % 3 === 0 ? {} : { multiExitDiscriminator: number }),
    ...(communities.length === 0 ? {} : { communities }),
  };
}
