// From the tables to a peer's connection, in batches that it can take.
import {
  afiOf,
  encodeMessage,
  endOfRib,
  RefreshSubtype,
  type RouteRefresh,
  Safi,
  type WireContext,
} from '@calico/bgp-wire';
import type { Family } from '@calico/ip';
import type { SpeakerEffect } from './events.ts';
import type { Live, Peer } from './peer.ts';

/** Routes per batch: a few messages, so that one peer's table does not hold the others up. */
const BATCH = 2_048;
const NO_MESSAGES: readonly Uint8Array[] = [];

/**
 * RFC 7313 section 4: begin, the whole table, end; without that extension, and where End-of-RIB is still to
 * come, the table alone. What is asked for again before it has been sent is sent once.
 */
export function queueRefresh({ advertised }: Peer, live: Live, family: Family): void {
  advertised.group?.out.repeat(advertised.reader);
  const { canRefreshEnhanced, gracefulRestart } = live.negotiated;
  if (!canRefreshEnhanced || (gracefulRestart !== undefined && live.owesEndOfRib)) return;
  live.owedBegins.add(family);
  live.owedEnds.add(family);
}

/** All families. 'in': the peer is asked, if it knows RFC 2918. 'out': it will be told. */
export function refreshAll(peer: Peer, direction: 'in' | 'out'): SpeakerEffect[] {
  const { live, config } = peer;
  if (live === undefined) return [];
  const { side, negotiated } = live;
  if (direction === 'out') {
    for (const family of negotiated.families) queueRefresh(peer, live, family);
    return [];
  }
  if (!negotiated.canRefresh) return [];
  return negotiated.families.map((family) => {
    const message = refreshMessage(family, RefreshSubtype.Request);
    return { kind: 'connection', peer: config.key, work: { kind: 'send', side, message } };
  });
}

function refreshMessage(family: Family, subtype: number): RouteRefresh {
  return { kind: 'route-refresh', afi: afiOf(family), safi: Safi.Unicast, subtype };
}

function refreshMessages(
  owed: Set<Family>,
  subtype: number,
  context: WireContext,
): readonly Uint8Array[] {
  if (owed.size === 0) return NO_MESSAGES;
  const families = [...owed];
  owed.clear();
  return families.map((family) => encodeMessage(refreshMessage(family, subtype), context));
}

/** The next batch for the peer; undefined when there is nothing to send or the last is not out yet. */
export function nextBatch(peer: Peer, mayEndRib: boolean): SpeakerEffect | undefined {
  const { live, advertised, config } = peer;
  const { group, reader } = advertised;
  if (live === undefined || group === undefined || live.isWaiting) return undefined;
  const { sendContext } = live.negotiated;
  const begins = refreshMessages(live.owedBegins, RefreshSubtype.Begin, sendContext);
  const routes = group.out.read(reader, BATCH);
  const isAtEnd = group.isFilled && group.out.isAtEnd(reader);
  const ends = isAtEnd ? endMessages(live, mayEndRib) : NO_MESSAGES;
  if (routes === undefined && begins.length === 0 && ends.length === 0) return undefined;
  const messages = [...begins, ...(routes === undefined ? [] : [routes]), ...ends];
  live.isWaiting = true;
  return { kind: 'send', peer: config.key, side: live.side, messages };
}

/** After all routes. */
function endMessages(live: Live, mayEndRib: boolean): readonly Uint8Array[] {
  const { sendContext: context, families, gracefulRestart } = live.negotiated;
  const ends = refreshMessages(live.owedEnds, RefreshSubtype.End, context);
  if (!live.owesEndOfRib || !mayEndRib) return ends;
  live.owesEndOfRib = false;
  if (gracefulRestart === undefined) return ends;
  return [...ends, ...families.map((family) => encodeMessage(endOfRib(family), context))];
}
