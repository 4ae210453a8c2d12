// Checks the peer's OPEN and works out what both sides can do: RFC 4271 section 6.2, RFC 5492.
import {
  type AddPathFamily,
  Afi,
  type Capability,
  CapabilityCode,
  ErrorCode,
  encodeCapability,
  familyOf,
  type Notification,
  type Open,
  OpenError,
  type Role,
} from '@calico/bgp-wire';
import type { Family } from '@calico/ip';
import type {
  GracefulRestartOffer,
  Negotiated,
  NegotiatedGracefulRestart,
  RemoteAsn,
  SessionConfig,
} from './types.ts';

export type Negotiation =
  | { readonly kind: 'agreed'; readonly negotiated: Negotiated }
  | { readonly kind: 'refused'; readonly notification: Notification; readonly reason: string };

const LEAST_SEND_HOLD_SECONDS = 480;

type Named<K extends Capability['kind']> = Extract<Capability, { readonly kind: K }>;
type Find = <K extends Capability['kind']>(kind: K) => Named<K> | undefined;

export function negotiate(config: SessionConfig, localOpen: Open, remoteOpen: Open): Negotiation {
  const asnProblem = asnProblemOf(config.remoteAsn, remoteOpen.asn);
  if (asnProblem !== undefined) return refuse(OpenError.BadPeerAs, asnProblem);
  const isInternal = remoteOpen.asn === config.localAsn;
  if (isInternal && remoteOpen.routerId === config.routerId) {
    return refuse(
      OpenError.BadIdentifier,
      'Cannot accept the BGP identifier of the peer: it is our own (RFC 6286)',
    );
  }
  const roleProblem = roleProblemOf(config, remoteOpen);
  if (roleProblem !== undefined) return refuse(OpenError.RoleMismatch, roleProblem);
  // Of several the last one counts (RFC 4724 section 3, 9494 section 3.1), unless they name other families.
  const find: Find = (kind) =>
    remoteOpen.capabilities.findLast((capability) => capability.kind === kind) as never;
  const addPath = remoteOpen.capabilities.flatMap((each) =>
    each.kind === 'add-path' ? each.families : [],
  );
  const families = commonFamilies(config.families, remoteOpen);
  if (families.length === 0) {
    const missing = localOpen.capabilities.filter(({ kind }) => kind === 'multiprotocol');
    return refuse(
      OpenError.UnsupportedCapability,
      'Cannot agree on an address family: the peer offers none of ours',
      concatenate(missing.map(encodeCapability)),
    );
  }
  const holdTimeSeconds = Math.min(localOpen.holdTimeSeconds, remoteOpen.holdTimeSeconds);
  const fourOctetAs = find('four-octet-as') !== undefined;
  const extendedMessages = find('extended-message') !== undefined;
  const peerKind = isInternal || config.isMember ? 'internal' : 'external';
  const canRefresh = find('route-refresh') !== undefined;
  return {
    kind: 'agreed',
    negotiated: {
      remoteOpen,
      ...(localOpen.asn === config.dualAsn ? { usesDualAsn: true } : {}),
      holdTimeSeconds,
      keepaliveSeconds: keepaliveOf(holdTimeSeconds, config.keepaliveSeconds),
      sendHoldSeconds: sendHoldOf(holdTimeSeconds, config.sendHoldSeconds),
      families,
      context: {
        fourOctetAs,
        extendedMessages,
        addPath: config.addPathReceive ? addPathFamilies(addPath, 'send', families) : [],
        peerKind,
      },
      sendContext: {
        fourOctetAs,
        extendedMessages,
        addPath: config.addPathSend ? addPathFamilies(addPath, 'receive', families) : [],
        peerKind,
      },
      extendedNextHop: config.extendedNextHop && takesExtendedNextHop(remoteOpen),
      canRefresh,
      canRefreshEnhanced: canRefresh && find('enhanced-route-refresh') !== undefined,
      // It is to be disregarded without the other one: RFC 9494 section 4.1.
      knowsLongLived:
        find('graceful-restart') !== undefined && find('long-lived-graceful-restart') !== undefined,
      gracefulRestart:
        config.gracefulRestart === undefined
          ? undefined
          : gracefulRestartOf(
              config.gracefulRestart,
              find('graceful-restart'),
              find('long-lived-graceful-restart'),
              families,
            ),
    },
  };
}

function asnProblemOf(expected: RemoteAsn, asn: number): string | undefined {
  if (typeof expected === 'number') {
    if (asn === expected) return undefined;
    return `Cannot accept AS number "${asn}": ${expected} is configured`;
  }
  if (!expected.anyBut.includes(asn)) return undefined;
  return `Cannot accept AS number "${asn}": it is ours, and an external peer is configured`;
}

/** A peer that names no family speaks IPv4 unicast (RFC 4760 section 8). */
function commonFamilies(ours: readonly Family[], remoteOpen: Open): Family[] {
  const theirs = new Set<Family>();
  let isNamed = false;
  for (const capability of remoteOpen.capabilities) {
    if (capability.kind !== 'multiprotocol') continue;
    isNamed = true;
    const family = familyOf(capability.afi, capability.safi);
    if (family !== undefined) theirs.add(family);
  }
  if (!isNamed) theirs.add(4);
  return ours.filter((family) => theirs.has(family));
}

/** Families in which the peer does what we do the opposite of. */
function addPathFamilies(
  told: readonly AddPathFamily[],
  does: 'send' | 'receive',
  families: readonly Family[],
): Family[] {
  return families.filter((family) =>
    told.some((each) => familyOf(each.afi, each.safi) === family && each[does]),
  );
}

function takesExtendedNextHop({ capabilities }: Open): boolean {
  return capabilities
    .flatMap((each) => (each.kind === 'extended-next-hop' ? each.families : []))
    .some(({ afi, safi, nextHopAfi }) => familyOf(afi, safi) === 4 && nextHopAfi === Afi.Ipv6);
}

function keepaliveOf(holdTimeSeconds: number, wantedSeconds: number | undefined): number {
  const third = Math.max(1, Math.floor(holdTimeSeconds / 3));
  return wantedSeconds === undefined ? third : Math.max(1, Math.min(third, wantedSeconds));
}

/** RFC 9687 section 4. Without keepalives nothing may have to be sent for ever. */
function sendHoldOf(holdTimeSeconds: number, wantedSeconds: number | undefined): number {
  if (holdTimeSeconds === 0) return 0;
  return wantedSeconds ?? Math.max(LEAST_SEND_HOLD_SECONDS, 2 * holdTimeSeconds);
}

/** What each role is the other end of: RFC 9234 section 4.2. */
const OPPOSITE: Readonly<Record<Role, Role>> = {
  provider: 'customer',
  customer: 'provider',
  'route-server': 'route-server-client',
  'route-server-client': 'route-server',
  peer: 'peer',
};

function roleProblemOf({ role, isRoleStrict }: SessionConfig, { capabilities }: Open) {
  if (role === undefined) return undefined;
  const theirs = new Set(capabilities.flatMap((each) => roleText(each) ?? []));
  if (theirs.size === 0) {
    return isRoleStrict ? 'Cannot accept a peer without a role: roleStrict is set' : undefined;
  }
  const [other] = theirs;
  return theirs.size === 1 && other === OPPOSITE[role]
    ? undefined
    : `Cannot accept role "${[...theirs].join('", "')}": we are "${role}"`;
}

/** A number that is no role is still none that fits (RFC 9234 section 4.2). */
function roleText(capability: Capability): string | undefined {
  if (capability.kind === 'role') return capability.role;
  const isUnknown = capability.kind === 'unknown' && capability.code === CapabilityCode.Role;
  return isUnknown ? `number ${capability.value.join(' ')}` : undefined;
}

function gracefulRestartOf(
  offer: GracefulRestartOffer,
  capability: Named<'graceful-restart'> | undefined,
  longLived: Named<'long-lived-graceful-restart'> | undefined,
  families: readonly Family[],
): NegotiatedGracefulRestart | undefined {
  if (capability === undefined) return undefined;
  const named = inUse(capability.families, families);
  const long = offer.longLivedSeconds > 0 ? inUse(longLived?.families ?? [], families) : [];
  return {
    isPeerRestarting: capability.restarting,
    restartTimeSeconds: capability.restartTimeSeconds,
    keepsOnNotification: offer.keepsOnNotification && capability.notification,
    longLived: new Map(
      long.flatMap(({ family, staleSeconds }) =>
        staleSeconds > 0 ? [[family, staleSeconds]] : [],
      ),
    ),
    families: named.map(({ family }) => family),
    forwarding: forwardingOf(named),
    longLivedForwarding: forwardingOf(long),
  };
}

/** What a capability says of families that are used. */
function inUse<T extends { readonly afi: number; readonly safi: number }>(
  named: readonly T[],
  families: readonly Family[],
): readonly (T & { readonly family: Family })[] {
  return named.flatMap((each) => {
    const family = familyOf(each.afi, each.safi);
    return family !== undefined && families.includes(family) ? [{ ...each, family }] : [];
  });
}

function forwardingOf(
  named: readonly { readonly family: Family; readonly forwarding: boolean }[],
): Family[] {
  return named.filter(({ forwarding }) => forwarding).map(({ family }) => family);
}

function refuse(
  subcode: number,
  reason: string,
  data: Uint8Array = new Uint8Array(0),
): Negotiation {
  return {
    kind: 'refused',
    notification: { kind: 'notification', code: ErrorCode.Open, subcode, data },
    reason,
  };
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
