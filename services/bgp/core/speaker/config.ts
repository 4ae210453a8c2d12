// What the cluster's resources say this speaker should be.
import type { Address, Family, Prefix } from '@calico/ip';
import type { BfdSettings } from '../bfd/types.ts';
import type { SecretVersion } from '../cluster/secrets.ts';
import type { LocalPolicy, PeerPolicy } from '../policy/types.ts';
import type { SessionConfig } from '../session/types.ts';
import type { PeerRange } from './guests.ts';
import type { PrefixLimit } from './prefix_limit.ts';

export type PeerType = 'mesh' | 'node' | 'global';

export type PeerConfig = {
  /** "192.168.80.101"; "192.168.80.101:1790" when the port is not 179; "fe80::1%eth1". */
  readonly key: string;
  readonly address: Address;
  readonly port: number;
  readonly type: PeerType;
  /** Name of the far end when it is a node of the cluster. */
  readonly remoteNode: string | undefined;
  /** It is a workload, or has come from a range: there may be very many, each for a while. */
  readonly isPassing?: true;
  /** Address that our connections come from; undefined: the kernel's choice. */
  readonly sourceAddress: Address | undefined;
  /** Where a link-local address is; absent for other addresses. */
  readonly interface?: string;
  readonly socket: PeerSocket;
  readonly session: PeerSession;
  readonly policy: PeerPolicy;
  /** Absent: there is none. */
  readonly prefixLimit?: PrefixLimit;
  /** Undefined: the path is not watched. A change leaves the session alone. */
  readonly bfd?: PeerBfd | undefined;
};

export type PeerBfd = {
  readonly settings: BfdSettings;
  /** The session waits until BFD is up. */
  readonly isStrict: boolean;
};

/** What the kernel has to know of a peer's connections before they exist. */
export type PeerSocket = {
  /** TCP MD5 (RFC 2385); undefined: none. */
  readonly password: SecretVersion | undefined;
  /** Packets to the peer start with this TTL; undefined: the kernel's. 1 to 255. */
  readonly ttl: number | undefined;
  /** Packets of the peer with less are dropped (RFC 5082); undefined: none are. 1 to 255. */
  readonly minimumTtl: number | undefined;
};

export const PLAIN_SOCKET: PeerSocket = {
  password: undefined,
  ttl: undefined,
  minimumTtl: undefined,
};

/**
 * A change of these starts the session anew, except for those that say otherwise, and for isPassive and
 * delayOpenMs, which concern the way to one.
 */
export type PeerSession = Pick<
  SessionConfig,
  | 'localAsn'
  | 'dualAsn'
  | 'routerId'
  | 'remoteAsn'
  | 'isMember'
  | 'isPassive'
  | 'families'
  | 'extendedNextHop'
  | 'addPathReceive'
  | 'addPathSend'
  | 'delayOpenMs'
  | 'role'
  | 'isRoleStrict'
> & {
  /** Taken up by the next session. */
  readonly holdTimeSeconds: number;
  /** Taken up by the next session. */
  readonly sendHoldSeconds: number | undefined;
  /** Taken up by the next session. */
  readonly keepaliveSeconds: number | undefined;
  /** Taken up by the next session. */
  readonly restartTimeSeconds: number;
  /** Taken up by the next session. */
  readonly keepsOnNotification: boolean;
  /** Taken up by the next session. */
  readonly longLivedSeconds: number;
};

export type OwnRoute = {
  readonly prefix: Prefix;
  /**
   * A block of this node, an address that it has borrowed from another's block, or a range of
   * services, for which every node is as good.
   */
  readonly kind: 'block' | 'borrowed' | 'service';
  readonly localPreference: number;
};

/** A peer whose password, interface or address is not known yet: as one that is away. */
export type AwaitedPeer = {
  /** Its address, or the range of it; undefined: whoever is at the far end of the interface. */
  readonly prefix: Prefix | undefined;
  /** Undefined unless the address is link-local. */
  readonly interface: string | undefined;
};

export type SpeakerConfig = {
  readonly local: LocalPolicy;
  readonly listenPort: number;
  readonly peers: ReadonlyMap<string, PeerConfig>;
  /** Who may come without being known by its address. */
  readonly ranges?: readonly PeerRange[];
  /** Interfaces whose far ends are peers; they are among `peers` once they are known. */
  readonly links?: readonly string[];
  /** Who is to be a peer as soon as it can be. */
  readonly awaited?: readonly AwaitedPeer[];
  readonly ownRoutes: readonly OwnRoute[];
  /** Why this node shall be a route reflector: the Node says so, or the topology. */
  readonly reflector?: 'configured' | 'chosen' | undefined;
};

/** Why a speaker is a route reflector; "leaving": not any more, but for clients that have no other way yet. */
export function reflectorOf(
  config: SpeakerConfig | undefined,
): 'configured' | 'chosen' | 'leaving' | undefined {
  return config?.local.clusterId === undefined ? undefined : (config.reflector ?? 'leaving');
}

export const FAMILIES: readonly Family[] = [4, 6];

/** Stable text of a value with bigints: equal texts mean equal settings. */
export function settingsText(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'bigint'
      ? `${member}n`
      : member instanceof Map || member instanceof Set
        ? [...member]
        : member,
  );
}

/** Of whole configurations, which are made once and compared with those that follow. */
const peerTexts = new WeakMap<PeerConfig, string>();

function peerText(peer: PeerConfig): string {
  const known = peerTexts.get(peer);
  if (known !== undefined) return known;
  const text = settingsText(peer);
  peerTexts.set(peer, text);
  return text;
}

/** What of a peer has changed; each calls for something else. */
export type PeerChanges = {
  /** The session has to start anew. */
  readonly session: boolean;
  /** How one gets to a session; one that is up does not mind. */
  readonly approach: boolean;
  readonly prefixLimit: boolean;
  /** What is told and believed. */
  readonly policy: boolean;
};

const NO_CHANGES: PeerChanges = {
  session: false,
  approach: false,
  prefixLimit: false,
  policy: false,
};

export function changesOf(before: PeerConfig, after: PeerConfig): PeerChanges {
  // As it is with most peers when something has changed in the cluster.
  if (peerText(before) === peerText(after)) return NO_CHANGES;
  const differs = (part: (peer: PeerConfig) => unknown): boolean =>
    settingsText(part(before)) !== settingsText(part(after));
  return {
    session: differs(sessionPart),
    approach: differs(({ session: { isPassive, delayOpenMs } }) => ({ isPassive, delayOpenMs })),
    prefixLimit: differs(({ prefixLimit = null }) => prefixLimit),
    policy: differs(({ policy }) => policy),
  };
}

/** What the running session depends on. */
function sessionPart(peer: PeerConfig): unknown {
  const { address, port, sourceAddress, socket, session } = peer;
  // Connections on a link come from our address there.
  const { linkLocal } = peer.policy;
  const {
    isPassive: _isPassive,
    delayOpenMs: _delayOpenMs,
    holdTimeSeconds: _holdTimeSeconds,
    sendHoldSeconds: _sendHoldSeconds,
    keepaliveSeconds: _keepaliveSeconds,
    restartTimeSeconds: _restartTimeSeconds,
    keepsOnNotification: _keepsOnNotification,
    longLivedSeconds: _longLivedSeconds,
    ...rest
  } = session;
  return { address, port, sourceAddress, linkLocal, socket, rest };
}
