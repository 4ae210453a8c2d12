// Tables of other networks: two peers tell the same prefixes, and a third is told all of them.
import {
  DEFAULT_CONTEXT,
  encodeAnnouncement,
  encodeWithdrawal,
  Origin,
  type PathAttributes,
  type WireContext,
} from '@calico/bgp-wire';
import { formatAddress } from '@calico/ip';
import type { ClusterResources } from '../cluster/resources.ts';
import {
  type Actor,
  addressOf,
  clusterWith,
  type Line,
  OWN_ASN,
  type Play,
  prefixesOf,
  resource,
} from './play.ts';

const CONTEXT: WireContext = { ...DEFAULT_CONTEXT, peerKind: 'external' };
const LISTENER = 3;
const PREFIXES = 128;
/** So many have the same attributes. */
const PER_SET = 4;

export function tablePlay(scenes: number, slowScenes: number): Play {
  const numbers = [1, 2, LISTENER];
  const actors = numbers.map(actorOf);
  const peers = actors.map(({ address, asn }, index) =>
    resource('BGPPeer', `peer-${index}`, {
      peerIP: formatAddress(address),
      asNumber: asn,
      passive: true,
      ...(numbers[index] === LISTENER ? {} : { filters: ['nothing'] }),
    }),
  );
  const filter = resource('BGPFilter', 'nothing', { exportV4: [{ action: 'Reject' }] });
  const resources = (): ClusterResources => clusterWith(false, [filter, ...peers]);
  return { resources, actors, atOnce: 1, scenes, slowScenes };
}

/** A table, another of the same prefixes, no more. */
function actorOf(number: number): Actor {
  const asn = OWN_ASN + number;
  const lines = (): Line[] => [
    announcements(number, asn, 0),
    announcements(number, asn, PREFIXES),
    encodeWithdrawal(4, prefixesOf(0, PREFIXES), CONTEXT),
  ];
  return { address: addressOf(number), asn, lines: number === LISTENER ? () => [] : lines };
}

/** @param first number of the first set of attributes */
function announcements(number: number, asn: number, first: number): Line {
  const nextHop = addressOf(100 + number);
  const sets = Array.from({ length: PREFIXES / PER_SET }, (_, set) => set);
  return sets.flatMap((set) => {
    const attributes = attributesOf(asn, first + set);
    const nlri = prefixesOf(set * PER_SET, PER_SET);
    return encodeAnnouncement({ family: 4, nextHop, attributes, nlri }, CONTEXT);
  });
}

/** Another set for every number. */
function attributesOf(asn: number, number: number): PathAttributes {
  const hops = 2 + ((number + asn) % 4);
  const asns = Array.from({ length: hops }, (_, hop) => 1_000 + number * 7 + hop * 13);
  return {
    origin: Origin.Igp,
    asPath: [{ kind: 'sequence', asns: [asn, ...asns] }],
    multiExitDiscriminator: number,
    communities: Array.from(
      { length: 2 + (number % 4) },
      (_, at) => (3_000 + at) * 65_536 + number,
    ),
  };
}
