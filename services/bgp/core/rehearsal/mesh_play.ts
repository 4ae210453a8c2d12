// A mesh of nodes whose address blocks come and go.
import {
  DEFAULT_CONTEXT,
  encodeAnnouncement,
  encodeWithdrawal,
  Origin,
  type WireContext,
} from '@calico/bgp-wire';
import type { ClusterResources } from '../cluster/resources.ts';
import {
  type Actor,
  addressOf,
  clusterWith,
  type Line,
  nodeAt,
  OWN_ASN,
  type Play,
  prefixesOf,
} from './play.ts';

const CONTEXT: WireContext = { ...DEFAULT_CONTEXT, peerKind: 'internal' };
const NODES = 32;
const BLOCKS = 16;
const AT_ONCE = 16;

export function meshPlay(scenes: number, slowScenes: number): Play {
  const numbers = Array.from({ length: NODES }, (_, index) => index + 1);
  const nodes = numbers.map((number) => nodeAt(`node-${number}`, number));
  const actors = numbers.map(actorOf);
  const resources = (): ClusterResources => clusterWith(true, nodes);
  return { resources, actors, atOnce: AT_ONCE, scenes, slowScenes };
}

function actorOf(number: number): Actor {
  const address = addressOf(number);
  const lines = (): Line[] => {
    const attributes = { origin: Origin.Igp, asPath: [], localPreference: 100 };
    const nlri = prefixesOf(number * BLOCKS, BLOCKS);
    const route = { family: 4, nextHop: address, attributes, nlri } as const;
    return [encodeAnnouncement(route, CONTEXT), encodeWithdrawal(4, nlri, CONTEXT)];
  };
  return { address, asn: OWN_ASN, lines };
}
