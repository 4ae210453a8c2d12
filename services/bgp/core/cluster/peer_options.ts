// What a BGPPeer says about the session, in the words of the speaker.
import type { Role } from '@calico/bgp-wire';
import type { Family } from '@calico/ip';
import type { BGPPeer } from '@calico/model';
import type { PeerConfig, PeerSession, PeerSocket } from '../speaker/config.ts';
import type { PrefixLimit } from '../speaker/prefix_limit.ts';
import { parseDurationSeconds } from './duration.ts';
import { given } from './node_view.ts';

export type PeerSpec = { readonly [K in keyof BGPPeer['spec']]?: BGPPeer['spec'][K] | undefined };

/** Proposed to peers. BIRD's 240 s would keep routes of a node that lost power for four minutes. */
const HOLD_TIME_SECONDS = 90;
/** What upstream's BIRD asks for. */
const RESTART_TIME_SECONDS = 120;
/** The field on the wire has twelve bits. */
const LONGEST_RESTART_SECONDS = 4095;
/** Where the log warns unless the peer says otherwise, as other daemons do. */
const WARN_PERCENT = 75;

/** `role` as the protocol names it. */
const ROLES: Readonly<Record<string, Role>> = {
  Provider: 'provider',
  Customer: 'customer',
  RouteServer: 'route-server',
  RouteServerClient: 'route-server-client',
  Peer: 'peer',
};

/** @param family what the session runs over */
export function sessionOptions(
  spec: PeerSpec,
  family: Family,
): Omit<PeerSession, 'localAsn' | 'routerId' | 'remoteAsn' | 'isMember'> {
  const families = ([4, 6] as const).filter(
    (each) => spec.addressFamilies?.includes(`IPv${each}`) ?? each === family,
  );
  const { addPath = 'Receive' } = spec;
  const restartSeconds = seconds(spec.maxRestartTime) ?? RESTART_TIME_SECONDS;
  return {
    isPassive: spec.passive ?? false,
    families,
    extendedNextHop: spec.extendedNextHop ?? (family === 6 && families.includes(4)),
    addPathReceive: addPath === 'Receive' || addPath === 'Both',
    addPathSend: addPath === 'Send' || addPath === 'Both',
    delayOpenMs: 1000 * (seconds(spec.delayOpen) ?? 0),
    role: ROLES[spec.role ?? ''],
    isRoleStrict: spec.roleStrict ?? false,
    keepsOnNotification: spec.gracefulNotification ?? false,
    longLivedSeconds: seconds(spec.longLivedRestartTime) ?? 0,
    holdTimeSeconds: seconds(spec.holdTime) ?? HOLD_TIME_SECONDS,
    sendHoldSeconds: seconds(spec.sendHoldTime),
    keepaliveSeconds: seconds(spec.keepaliveTime),
    restartTimeSeconds: Math.min(LONGEST_RESTART_SECONDS, restartSeconds),
  };
}

/**
 * A restart time that peers cannot be told, as a sentence; undefined: they can.
 * @param resource the BGPPeer, where it is named
 */
export function restartProblem(
  type: PeerConfig['type'],
  spec: PeerSpec,
  resource: string | undefined,
): string | undefined {
  const restartSeconds = seconds(spec.maxRestartTime) ?? 0;
  if (restartSeconds <= LONGEST_RESTART_SECONDS) return undefined;
  const field =
    type === 'mesh'
      ? 'nodeMeshMaxRestartTime of BGPConfiguration'
      : `maxRestartTime of ${resource === undefined ? 'a BGPPeer' : `BGPPeer "${resource}"`}`;
  return `${field} is "${spec.maxRestartTime}": peers are told "${LONGEST_RESTART_SECONDS}s", the longest time that the message has room for (RFC 4724)`;
}

/** RFC 5082: what has come over at most so many hops still has that much of 255. */
export function ttlOptions({ ttlSecurity, multihop }: PeerSpec): Omit<PeerSocket, 'password'> {
  if (ttlSecurity) return { ttl: 255, minimumTtl: 256 - ttlSecurity };
  return { ttl: multihop, minimumTtl: undefined };
}

export function limitOption({ maxPrefixes }: PeerSpec): { readonly prefixLimit?: PrefixLimit } {
  if (maxPrefixes === undefined) return {};
  const { limit, warnPercent = WARN_PERCENT, action = 'Reset', restartAfter } = maxPrefixes;
  const restSeconds = seconds(restartAfter);
  return {
    prefixLimit: {
      routes: limit,
      warnRoutes: Math.ceil((limit * warnPercent) / 100),
      isFatal: action === 'Reset',
      restMs: restSeconds === undefined ? 'forever' : 1000 * restSeconds,
    },
  };
}

function seconds(duration: string | undefined): number | undefined {
  return given(duration) ? Math.ceil(parseDurationSeconds(duration)) : undefined;
}
