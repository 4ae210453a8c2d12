// How many routes a peer may tell, and what becomes of one that tells more: RFC 4486 section 4.
import { afiOf, CeaseSubcode, cease, type Notification, Safi } from '@calico/bgp-wire';
import type { Family } from '@calico/ip';
import type { SessionEvent } from '../session/session.ts';
import type { Note } from './events.ts';
import type { Peer } from './peer.ts';

/** Routes count as the peer tells them, whether policy lets them in or not, all families together. */
export type PrefixLimit = {
  /** At least 1. */
  readonly routes: number;
  /** From so many on the log warns. */
  readonly warnRoutes: number;
  /** More end the session; otherwise they are only warned of. */
  readonly isFatal: boolean;
  /** Rest after the end; 'forever': until the peer is configured anew. */
  readonly restMs: number | 'forever';
};

export type LimitVerdict = { readonly note: Note; readonly event: SessionEvent | undefined };

/** What there is to do now; undefined: nothing, or it has been said already. */
export function judgePrefixLimit({ config, live, received }: Peer): LimitVerdict | undefined {
  const limit = config.prefixLimit;
  if (limit === undefined || live === undefined) return undefined;
  // What it has not told again since it came back, or began anew, is about to go; isTooMuch() sees to that.
  const routes = received.size + received.refusedCount - received.staleCount;
  const isExceeded = routes > limit.routes && limit.isFatal;
  if (!isExceeded && (live.isNearLimit || routes < limit.warnRoutes)) return undefined;
  live.isNearLimit = true;
  const note: Note = { kind: 'prefix-limit', peer: config.key, routes, limit: limit.routes };
  if (!isExceeded) return { note, event: undefined };
  const notification = maximumReached(live.negotiated.families, limit.routes);
  const reason = `Sent: Cease: Maximum number of prefixes reached: ${routes} of ${limit.routes}`;
  return { note, event: { kind: 'reset', notification, reason, restMs: limit.restMs } };
}

/**
 * Whether stale routes must go before their time. A peer that comes back with other routes than before has twice
 * the limit for a while; one that begins anew, again and again, would have any number.
 */
export function isTooMuch({ config, received }: Peer): boolean {
  const { prefixLimit: limit } = config;
  if (limit === undefined || !limit.isFatal || received.staleCount === 0) return false;
  return received.size + received.refusedCount > 2 * limit.routes;
}

/**
 * With the limit, as the RFC proposes: AFI, SAFI, four octets. They name the family that is concerned, so there
 * is none to say where a limit is that of several together.
 */
function maximumReached(families: readonly Family[], limit: number): Notification {
  const notification = cease(CeaseSubcode.MaximumPrefixes);
  const [family] = families;
  if (family === undefined || families.length > 1) return notification;
  const data = new Uint8Array(7);
  const view = new DataView(data.buffer);
  view.setUint16(0, afiOf(family));
  view.setUint8(2, Safi.Unicast);
  view.setUint32(3, limit);
  return { ...notification, data };
}
