// Tables that are announced from one end and compared, attribute by attribute, at the other.
import assert from 'node:assert/strict';
import {
  encodeMrt,
  formatAsPath,
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  type MrtEntry,
  type MrtRecord,
  Origin,
  type PathAttributes,
} from '@calico/bgp-wire';
import {
  type Address,
  formatAddress,
  formatPrefix,
  type Prefix,
  parseAddress,
  parsePrefix,
} from '@calico/ip';
import { type Attached, attributesOf } from './attached.ts';
import { OUR_ASN, type SeenRoute } from './daemon.ts';

const PIECE = 1_000;
const ORIGINS = [Origin.Igp, Origin.Egp, Origin.Incomplete];

export type Route = { readonly prefix: Prefix; readonly attributes: PathAttributes };

/** So many /24 networks from this octet on; four of them share their attributes, as in the internet. */
export function internetLike(firstOctet: number, count: number): Route[] {
  return Array.from({ length: count }, (_, index) => {
    const value = BigInt(firstOctet * 0x100_0000 + index * 0x100);
    return { prefix: { family: 4, value, length: 24 }, attributes: ofSet(index >> 2) };
  });
}

function ofSet(set: number): PathAttributes {
  const spread = (some: number): number => (set * 2_654_435_761 + some * 40_503) % 60_000;
  // 23456 would be AS_TRANS, and 4200000110 to 4200000115 are the daemons.
  const asns = Array.from({ length: 3 + (set & 3) }, (_, hop) => 1 + (spread(hop) % 23_000));
  return {
    origin: ORIGINS[set % 3] ?? Origin.Igp,
    asPath: [{ kind: 'sequence', asns: [...asns, 4_210_000_000 + (set % 80_000_000)] }],
    multiExitDiscriminator: set % 1000,
    localPreference: 100 + (set % 7),
    communities: Array.from({ length: 2 + (set & 3) }, (_, i) => (i + 1) * 0x1_0000 + spread(i)),
    ...(set % 5 === 0 ? { extendedCommunities: [0x0002_fc00_0000_0000n + BigInt(set)] } : {}),
    ...(set % 3 === 0
      ? { largeCommunities: [{ global: 4_200_000_001, local1: set, local2: 3 }] }
      : {}),
  };
}

/** Pieces of an MRT table without its peers; the next hop is who announces them. */
export function* mrtOf(routes: readonly Route[]): Generator<Uint8Array> {
  for (let at = 0; at < routes.length; at += PIECE) {
    const piece = routes.slice(at, at + PIECE);
    yield Buffer.concat(piece.map((route, index) => recordOf(route, at + index)));
  }
}

/** Records of a whole MRT table, of one peer. */
export function mrtRecords(routes: readonly Route[], peer: string): Uint8Array[] {
  const address = parseAddress(peer);
  const routerId = Number(address.value);
  const peers = [{ address, asn: OUR_ASN, routerId }];
  const first = encodeMrt({ kind: 'peers', timestamp: 0, routerId, view: '', peers });
  return [first, ...routes.map((route, index) => recordOf(route, index, address))];
}

function recordOf({ prefix, attributes }: Route, sequence: number, nextHop?: Address): Uint8Array {
  const entries = [{ peer: 0, originated: 0, attributes, nextHop }];
  return encodeMrt({ kind: 'routes', timestamp: 0, sequence, prefix, entries });
}

/** One route with what a daemon would attach. */
export function attachedRoute(prefix: string, attached: Attached): Route {
  return { prefix: parsePrefix(prefix), attributes: attributesOf(attached) };
}

/** One route of which several paths may be announced, each by a client of its own. */
export function simpleRoute(prefix: string, med: number): Route {
  const attributes = { origin: Origin.Igp, asPath: [], multiExitDiscriminator: med };
  return { prefix: parsePrefix(prefix), attributes: { ...attributes, localPreference: 100 } };
}

/** As a daemon of the same AS sees it; its next hop is left open. */
export function seenAs({ prefix, attributes }: Route): SeenRoute {
  const { origin, asPath = [], communities = [], largeCommunities = [] } = attributes;
  const { extendedCommunities = [], multiExitDiscriminator, localPreference } = attributes;
  return {
    prefix: formatPrefix(prefix),
    nextHop: '',
    asPath: formatAsPath(asPath),
    origin: ['igp', 'egp', 'incomplete'][origin ?? 2] ?? '',
    communities: communities.map(formatCommunity).toSorted(),
    extendedCommunities: extendedCommunities.map(formatExtendedCommunity).toSorted(),
    largeCommunities: largeCommunities.map(formatLargeCommunity).toSorted(),
    med: multiExitDiscriminator,
    localPreference,
  };
}

/** Paths of a table by the address of the peer that told them, then by prefix. */
export class TableView {
  readonly #peers: string[] = [];
  readonly #paths = new Map<string, Map<string, MrtEntry>>();

  add(record: MrtRecord): void {
    if (record.kind === 'peers') {
      for (const { address } of record.peers) this.#peers.push(formatAddress(address));
    } else if (record.kind === 'routes') {
      const prefix = formatPrefix(record.prefix);
      for (const entry of record.entries)
        this.#pathsOf(this.#peers[entry.peer] ?? '').set(prefix, entry);
    }
  }

  /**
   * Whether the peer has passed on exactly these, as they were but for what reflection adds (RFC 4456).
   * @throws AssertionError that names the first difference
   */
  isReflected(routes: readonly Route[], by: { peer: string; origin: Address }): void {
    const paths = this.#pathsOf(by.peer);
    const originatorId = Number(by.origin.value);
    for (const { prefix, attributes } of routes) {
      const text = formatPrefix(prefix);
      const path = paths.get(text);
      assert.ok(path, `no path to ${text} from ${by.peer}`);
      assert.deepEqual(path.nextHop, by.origin, text);
      const { clusterList, ...rest } = path.attributes;
      assert.equal(clusterList?.length, 1, text);
      assert.deepEqual(rest, { ...attributes, originatorId }, text);
    }
  }

  #pathsOf(peer: string): Map<string, MrtEntry> {
    const paths = this.#paths.get(peer) ?? new Map<string, MrtEntry>();
    this.#paths.set(peer, paths);
    return paths;
  }
}
