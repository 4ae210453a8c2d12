// What the feeders say, encoded before the clock runs.
import { DEFAULT_CONTEXT, encodeAnnouncement, type WireContext } from '@calico/bgp-wire';
import { type Address, parseAddress } from '@calico/ip';
import { markerPrefix, type PeerPlan, type Space, spacePrefix } from './world.ts';

/** "Internet-like": so many prefixes have their attributes in common. */
const PER_SET = 4;
const EXTERNAL: WireContext = { ...DEFAULT_CONTEXT, peerKind: 'external' };
const INTERNAL: WireContext = { ...DEFAULT_CONTEXT, peerKind: 'internal' };

/**
 * A full table: an AS_PATH of 3 to 6, MED, 2 to 5 communities per four prefixes; then the feeder's marker.
 * @param feeder its number: other feeders' paths have other lengths
 */
export function fullTable(space: Space, peer: PeerPlan, feeder: number, nextHop: Address): Buffer {
  const messages: Uint8Array[] = [];
  for (let from = 0; from < space.count; from += PER_SET) {
    const set = from / PER_SET;
    const length = 2 + ((set + feeder) % 4);
    const asns = Array.from({ length }, (_, hop) => 1_000 + ((set * 7 + hop * 13) % 60_000));
    const nlri = Array.from({ length: Math.min(PER_SET, space.count - from) }, (_, index) => ({
      prefix: spacePrefix(space, from + index),
    }));
    const attributes = {
      origin: 0 as const,
      asPath: [{ kind: 'sequence' as const, asns: [peer.asn, ...asns] }],
      multiExitDiscriminator: set % 100,
      communities: Array.from(
        { length: 2 + (set % 4) },
        (_, at) => (3_000 + at) * 65_536 + (set % 5_000),
      ),
    };
    messages.push(...encodeAnnouncement({ family: 4, nextHop, attributes, nlri }, EXTERNAL));
  }
  messages.push(...encodeMarker(peer, feeder, nextHop));
  return Buffer.concat(messages);
}

/** A node's address blocks, in one message, by way of the node. */
export function blocks(space: Space, peer: PeerPlan, from: number, count: number): Buffer {
  const nlri = Array.from({ length: count }, (_, index) => ({
    prefix: spacePrefix(space, from + index),
  }));
  const attributes = { origin: 0 as const, asPath: [], localPreference: 100 };
  const nextHop = parseAddress(peer.address);
  return Buffer.concat(encodeAnnouncement({ family: 4, nextHop, attributes, nlri }, INTERNAL));
}

function encodeMarker(peer: PeerPlan, feeder: number, nextHop: Address): Uint8Array[] {
  const attributes = {
    origin: 0 as const,
    asPath: [{ kind: 'sequence' as const, asns: [peer.asn] }],
  };
  const nlri = [{ prefix: markerPrefix(feeder) }];
  return encodeAnnouncement({ family: 4, nextHop, attributes, nlri }, EXTERNAL);
}
