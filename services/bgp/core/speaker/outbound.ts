// From changed best paths to UPDATE messages, in batches that the peer's connection can take.
import {
  afiOf,
  encodeMessage,
  endOfRib,
  RefreshSubtype,
  type RouteRefresh,
  Safi,
} from '@calico/bgp-wire';
import type { Family } from '@calico/ip';
import type { ExportPolicy } from '../policy/export_policy.ts';
import type { LocRib, RibEntry } from '../rib/loc_rib.ts';
import type { SpeakerEffect } from './events.ts';
import type { Live, Peer } from './peer.ts';

/** Prefixes per batch: a few messages, so that one peer's table does not hold the others up. */
const BATCH = 4_096;

/** Queues what the peer has to be told of an entry. */
export function queueEntry(peer: Peer, entry: RibEntry, policy: ExportPolicy): void {
  const { live } = peer;
  if (live === undefined || !live.negotiated.families.includes(entry.prefix.family)) return;
  const { key } = peer.config;
  const outcome =
    entry.best === undefined ? undefined : policy.export(entry.best, key, peer.policy);
  const data = outcome?.kind === 'accepted' ? outcome.data : undefined;
  peer.advertised.set(entry.prefix, data);
}

export function queueTable(peer: Peer, rib: LocRib, policy: ExportPolicy): void {
  for (const entry of rib.entries()) queueEntry(peer, entry, policy);
}

/** RFC 7313 section 4: begin, the whole table, end; without that extension the table alone. */
export function queueRefresh(peer: Peer, live: Live, family: Family): void {
  peer.advertised.repeat(family);
  if (!live.negotiated.canRefreshEnhanced) return;
  const marker = (subtype: number): RouteRefresh => ({
    kind: 'route-refresh',
    afi: afiOf(family),
    safi: Safi.Unicast,
    subtype,
  });
  live.beforehand.push(marker(RefreshSubtype.Begin));
  live.afterwards.push(marker(RefreshSubtype.End));
}

/** The next batch for the peer; undefined when there is nothing to send or the last is not out yet. */
export function nextBatch(peer: Peer, mayEndRib: boolean): SpeakerEffect | undefined {
  const { live, advertised, config } = peer;
  if (live === undefined || live.isWaiting) return undefined;
  const { sendContext: context, families, gracefulRestart } = live.negotiated;
  const messages = live.beforehand.splice(0).map((message) => encodeMessage(message, context));
  messages.push(...advertised.take(BATCH, context));
  if (!advertised.hasPending) {
    for (const message of live.afterwards.splice(0)) messages.push(encodeMessage(message, context));
    if (live.owesEndOfRib && mayEndRib) {
      live.owesEndOfRib = false;
      if (gracefulRestart !== undefined) {
        for (const family of families) messages.push(encodeMessage(endOfRib(family), context));
      }
    }
  }
  if (messages.length === 0) return undefined;
  live.isWaiting = true;
  return { kind: 'send', peer: config.key, side: live.side, messages };
}
