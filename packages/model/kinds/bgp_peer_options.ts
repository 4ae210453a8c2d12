// What a BGPPeer can say here beyond upstream: an upstream client keeps its hands off these fields, and a
// peer without them behaves as upstream's.
import * as z from 'zod';
import type { Report, SchemaStyle } from '../schema_style.ts';
import { exactNet, integer, interfaceName, maybeAsNumber, textThat } from './scalars.ts';

/** As in BGPPeer, where it is not configured. */
const HOLD_SECONDS = 90;

/** Whole seconds in a text such as "90s" or "1m30s". */
function wholeSeconds(accepts: (seconds: number) => boolean, expected: string) {
  return textThat((text) => {
    const seconds = readSeconds(text);
    return seconds !== undefined && accepts(seconds) ? undefined : expected;
  });
}

function readSeconds(text: string): number | undefined {
  const match = /^(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?$/.exec(text);
  const isRead = (match !== null && text !== '') || text === '0';
  if (!isRead) return undefined;
  const [hours = 0, minutes = 0, rest = 0] = (match ?? [])
    .slice(1)
    .map((each) => Number(each ?? 0));
  return 3600 * hours + 60 * minutes + rest;
}

const holdTime = wholeSeconds(
  (seconds) => seconds === 0 || (seconds >= 3 && seconds <= 65_535),
  'expected "0s", or whole seconds from "3s" to "65535s"',
);

const sendHoldTime = wholeSeconds(
  (seconds) => seconds === 0 || (seconds >= 4 && seconds <= 65_535),
  'expected "0s", or whole seconds from "4s" to "65535s"',
);

const delay = wholeSeconds(
  (seconds) => seconds <= 3600,
  'expected whole seconds from "0s" to "1h"',
);

const longLived = wholeSeconds(
  (seconds) => seconds <= 0xff_ffff,
  'expected whole seconds up to "4660h20m15s"',
);

export function bgpPeerOptions(style: SchemaStyle) {
  return {
    /** Whoever connects from inside becomes a peer, in place of peerIP. */
    peerPrefix: exactNet.optional(),
    /** Whoever is at the other end of this link, found by router advertisements, in place of peerIP. */
    peerInterface: interfaceName.optional(),
    /** In place of asNumber: any AS number but our own, as the peer says in its OPEN; or our own. */
    remoteAS: z.enum(['External', 'Internal']).optional(),
    /** Of one peerPrefix at the same time; unset: 100. */
    maxPeers: integer(1, 10_000).optional(),
    /**
     * "Sent": what the peer is sent shows the node's own AS number behind localASNumber. "Both": what the peer
     * tells is taken in with localASNumber in front, too. Unset: "None".
     */
    localASPrepend: z.enum(['None', 'Sent', 'Both']).optional(),
    /** Speaks as the node's own AS number to a peer that refuses localASNumber. */
    localASDual: z.boolean().optional(),
    /** Never dials, only answers. */
    passive: z.boolean().optional(),
    /** TTL of what is sent to the peer; unset: the kernel's. */
    multihop: integer(1, 255).optional(),
    /** Proposed to the peer; "0s" stands for neither keepalives nor a hold timer. Unset: "90s". */
    holdTime: holdTime.optional(),
    /** How long the peer may take nothing that is sent to it (RFC 9687); "0s": for ever. Unset: "8m", or twice holdTime. */
    sendHoldTime: sendHoldTime.optional(),
    /** How long the peer may speak first on a new connection; unset: not at all. */
    delayOpen: delay.optional(),
    /** What this node is to the peer, external peers only (RFC 9234). */
    role: z.enum(['Provider', 'Customer', 'Peer', 'RouteServer', 'RouteServerClient']).optional(),
    /** Refuses peers that do not say what they are. */
    roleStrict: z.boolean().optional(),
    /** A NOTIFICATION and an expired hold timer keep routes for the restart time (RFC 8538). */
    gracefulNotification: z.boolean().optional(),
    /** How long routes may stay beyond the restart time, as a last resort (RFC 9494). */
    longLivedRestartTime: longLived.optional(),
    /** How many routes the peer may tell, whether filters let them in or not. */
    maxPrefixes: style
      .object({
        limit: integer(1, 0xffff_ffff),
        /** The log warns from this part of the limit on; unset: 75. */
        warnPercent: integer(1, 100).optional(),
        /** What more routes lead to; unset: "Reset", the end of the session. */
        action: z.enum(['Warn', 'Reset']).optional(),
        /** When the session is tried again; unset: when the peer is changed. */
        restartAfter: delay.optional(),
      })
      .optional(),
    /** Whose routes the session carries; unset: those of the family it runs over. */
    addressFamilies: z
      .array(z.enum(['IPv4', 'IPv6']))
      .min(1)
      .optional(),
    /** Several paths of one prefix (RFC 7911); unset: "Receive". */
    addPath: z.enum(['Disabled', 'Receive', 'Send', 'Both']).optional(),
    /** IPv4 routes may have IPv6 next hops (RFC 8950); unset: when IPv4 routes travel over IPv6. */
    extendedNextHop: z.boolean().optional(),
  };
}

type Options = z.output<ReturnType<typeof optionsObject>>;

function optionsObject(style: SchemaStyle) {
  return style.object({
    ...bgpPeerOptions(style),
    ttlSecurity: integer(0, 255).optional(),
    localASNumber: maybeAsNumber(style),
  });
}

export function checkPeerOptions(options: Options, report: Report): void {
  const { multihop, ttlSecurity } = options;
  if (multihop !== undefined && ttlSecurity) {
    report(['multihop'], multihop, 'expected none with ttlSecurity, which sends with 255');
  }
  for (const field of ['localASPrepend', 'localASDual'] as const) {
    if (options[field] === undefined || options.localASNumber !== undefined) continue;
    report([field], options[field], 'expected none without localASNumber');
  }
  const { holdTime: hold, sendHoldTime: sendHold } = options;
  const [holds, sendHolds] = [hold, sendHold].map((text) => readSeconds(text ?? ''));
  if (sendHolds && sendHolds <= (holds ?? HOLD_SECONDS)) {
    const expected = `expected more than spec.holdTime, which is "${hold ?? `${HOLD_SECONDS}s`}"`;
    report(['sendHoldTime'], sendHold, expected);
  }
  if (options.roleStrict && options.role === undefined) {
    report(['roleStrict'], true, 'expected none without role');
  }
}
