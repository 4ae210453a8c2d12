// The Loc-RIB as a collector sees it: a peer that is always up (RFC 9069).
import {
  afiOf,
  type BmpMessage,
  type BmpPeer,
  BmpStatistic,
  encodeMessage,
  Safi,
} from '@calico/bgp-wire';
import type { Prefix } from '@calico/ip';
import type { LocalPolicy } from '../policy/types.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import { FAMILIES } from '../speaker/config.ts';
import { type FeedPath, TableFeed } from './table_feed.ts';

export function locRibFeed(rib: LocRib): TableFeed {
  const lookup = (prefix: Prefix): FeedPath[] => {
    const best = rib.get(prefix)?.best;
    return best === undefined ? [] : [{ pathId: 0, data: best.data }];
  };
  return new TableFeed(lookup, () => rib.prefixes.walk());
}

export function locRibHeader({ asn, routerId }: LocalPolicy, timestamp: number): BmpPeer {
  return { table: 'loc-rib', address: undefined, asn, routerId, timestamp };
}

/** Section 5.2: both OPENs are made up, alike, and say which families the table has. */
export function locRibUp(local: LocalPolicy, now: number): BmpMessage {
  const { asn, routerId } = local;
  const open = encodeMessage({
    kind: 'open',
    asn,
    routerId,
    holdTimeSeconds: 0,
    capabilities: [
      ...FAMILIES.map(
        (family) => ({ kind: 'multiprotocol', afi: afiOf(family), safi: Safi.Unicast }) as const,
      ),
      { kind: 'four-octet-as', asn },
    ],
  });
  return {
    kind: 'peer-up',
    peer: locRibHeader(local, now),
    localAddress: undefined,
    localPort: 0,
    remotePort: 0,
    sentOpen: open,
    receivedOpen: open,
    tableName: 'global',
  };
}

export function locRibStatistics(local: LocalPolicy, rib: LocRib, now: number): BmpMessage {
  const values = [{ type: BmpStatistic.LocRib, value: rib.size }];
  return { kind: 'statistics', peer: locRibHeader(local, now), values };
}
