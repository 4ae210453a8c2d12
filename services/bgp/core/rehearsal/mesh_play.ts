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
  blockAt,
  clusterWith,
  type Line,
  nlriOf,
  nodeAt,
  OWN_ASN,
  type Play,
} from './play.ts';

const CONTEXT: WireContext = { ...DEFAULT_CONTEXT, peerKind: 'internal' };
const NODES = 48;
const BLOCKS = 16;
const AT_ONCE = 48;
/** So many of them go and come back; the others withdraw what they have told. */
const RESTLESS = 4;

export function meshPlay(scenes: number, slowScenes: number): Play {
  const numbers = Array.from({ length: NODES }, (_, index) => index + 1);
  const nodes = numbers.map((number) => nodeAt(`node-${number}`, number));
  const actors = numbers.map(actorOf);
  const resources = (): ClusterResources => clusterWith(true, nodes);
  return { resources, actors, atOnce: AT_ONCE, scenes, slowScenes };
}

function actorOf(number: number): Actor {
  const address = addressOf(number);
  function* lines(): Generator<void, readonly Line[], undefined> {
    const attributes = { origin: Origin.Igp, asPath: [], localPreference: 100 };
    const nlri = nlriOf(number * BLOCKS, BLOCKS, blockAt);
    const route = { family: 4, nextHop: address, attributes, nlri } as const;
    const told = encodeAnnouncement(route, CONTEXT);
    yield;
    const gone = encodeWithdrawal(4, nlri, CONTEXT);
    return [told, gone, told, number <= RESTLESS ? 'leave' : gone];
  }
  return { address, asn: OWN_ASN, lines };
}
