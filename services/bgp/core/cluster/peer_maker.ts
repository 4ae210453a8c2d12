// What the speaker has to know of a peer, by its BGPPeer and by what is known of the far end.
import type { Address } from '@calico/ip';
import type { BGPConfiguration, WorkloadEndpoint } from '@calico/model';
import { NO_FILTERS } from '../policy/route_filter.ts';
import type { PeerConfig, PeerType } from '../speaker/config.ts';
import { Confederation } from './confederation.ts';
import { deriveBfd } from './derive_bfd.ts';
import type { FilterLibrary } from './derive_filters.ts';
import { given, type NodeView } from './node_view.ts';
import { peerKey } from './peer_key.ts';
import { limitOption, type PeerSpec, sessionOptions, ttlOptions } from './peer_options.ts';
import type { SecretVersion } from './secrets.ts';
import type { Surroundings } from './surroundings.ts';
import type { Topology } from './topology.ts';

export type Settings = {
  readonly type: PeerType;
  readonly spec: PeerSpec;
  /** Name of the BGPPeer that is explicit about it. */
  readonly resource?: string;
};

/** Whom the session is with. */
export type FarEnd = {
  readonly address: Address;
  readonly port: number;
  readonly asn: number | 'any-other';
  readonly node: NodeView | undefined;
  /** Where a link-local address is. */
  readonly interface?: string | undefined;
  /** Where it finds us, unless that is the node's address. */
  readonly ownAddress?: Address | undefined;
};

/** What peers refer to by name, and what is the same for all of them. */
export type Libraries = Surroundings & {
  readonly filters: FilterLibrary;
  readonly workloadEndpoints: readonly WorkloadEndpoint[];
  readonly topology: Topology;
};

export class PeerMaker {
  readonly #self: NodeView;
  readonly #routerId: number;
  readonly #libraries: Libraries;
  readonly #spec: BGPConfiguration['spec'];
  readonly #confederation: Confederation;

  constructor(
    self: NodeView,
    routerId: number,
    libraries: Libraries,
    spec: BGPConfiguration['spec'],
  ) {
    this.#self = self;
    this.#routerId = routerId;
    this.#libraries = libraries;
    this.#spec = spec;
    this.#confederation = new Confederation(spec.confederation);
  }

  asnOf({ asNumber, remoteAS, localASNumber }: PeerSpec): FarEnd['asn'] {
    if (remoteAS === 'External') return 'any-other';
    if (remoteAS === 'Internal') return localASNumber ?? this.#self.asn;
    if (asNumber === undefined) throw new Error('it has neither asNumber nor remoteAS');
    return asNumber;
  }

  /** What has to be there before the peer can be spoken to, and is not yet. */
  lackOf({ password }: PeerSpec, onLink: string | undefined): string | undefined {
    const { secrets, linkLocalAddress } = this.#libraries;
    if (onLink !== undefined && linkLocalAddress(onLink) === undefined) return noLink(onLink);
    const { name, key = '' } = password?.secretKeyRef ?? {};
    return given(name) && secrets({ name, key }) === undefined ? noSecret(name, key) : undefined;
  }

  /**
   * @param tell takes what is wrong and costs less than the peer, as sentences
   * @throws Error where it cannot be made so
   */
  make(farEnd: FarEnd, { type, spec }: Settings, tell: (problem: string) => void): PeerConfig {
    const { address, port, asn, node, interface: onLink, ownAddress } = farEnd;
    const self = this.#self;
    const { family } = address;
    const key = peerKey(address, port, onLink);
    const own = self.address[family];
    const isPassing = given(spec.localWorkloadSelector) || given(spec.peerPrefix) || undefined;
    const hasSource = spec.sourceAddress !== 'None' && onLink === undefined;
    const filters = spec.filters?.length
      ? this.#libraries.filters.combine(spec.filters, (problem) =>
          tell(`Peer "${key}": ${problem}`),
        )
      : NO_FILTERS;
    const { isInside, ownAsn } = this.#confederation.towards(asn, self.asn);
    const localAsn = spec.localASNumber ?? ownAsn;
    const isAny = asn === 'any-other';
    const remoteAsn = isAny ? { anyBut: [localAsn, ...this.#confederation.inside(self.asn)] } : asn;
    const isInternal = localAsn === asn;
    if (spec.localASDual && (ownAsn === asn || isInternal)) {
      throw new Error('localASDual is for external peers, by either AS number');
    }
    const isMember = isInside && !isInternal;
    const { localASPrepend = 'None' } = spec;
    const isForeign = !isInternal && !isMember && localAsn !== ownAsn;
    const { role: wanted, ...session } = sessionOptions(spec, family);
    const role = isInternal || isMember ? undefined : wanted;
    return {
      key,
      address,
      port,
      type,
      remoteNode: node?.name,
      ...(isPassing ? { isPassing } : {}),
      sourceAddress: ownAddress ?? (hasSource ? own : undefined),
      ...(onLink === undefined ? {} : { interface: onLink }),
      socket: { password: this.#passwordOf(spec), ...ttlOptions(spec) },
      session: {
        localAsn,
        ...(isForeign && spec.localASDual ? { dualAsn: ownAsn } : {}),
        routerId: this.#routerId,
        remoteAsn,
        isMember,
        role,
        ...session,
      },
      policy: {
        address,
        isInternal,
        ...(isMember ? { isMember } : {}),
        isReflectorClient: isInternal && this.#isClient(type, node),
        nextHopMode: spec.nextHopMode ?? (spec.keepOriginalNextHop ? 'Keep' : 'Auto'),
        localAsn,
        ...(isForeign && localASPrepend !== 'None' ? { shownAsn: ownAsn } : {}),
        ...(isForeign && localASPrepend === 'Both' ? { prependsReceived: true } : {}),
        allowedOwnAs: spec.numAllowedLocalASNumbers ?? 0,
        filters,
        ...(role === undefined ? {} : { role: { own: role, remoteAsn: isAny ? 0 : asn } }),
        ...(onLink === undefined ? {} : { linkLocal: this.linkLocalOf(onLink), onLink }),
        ...(ownAddress === undefined ? {} : { ownAddress }),
      },
      ...limitOption(spec),
      bfd: deriveBfd(this.#spec.bfd, spec.bfd, address, self.subnet[family]),
    };
  }

  /** @throws Error while the interface has none */
  linkLocalOf(interfaceName: string): Address {
    const address = this.#libraries.linkLocalAddress(interfaceName);
    if (address !== undefined) return address;
    throw new Error(noLink(interfaceName));
  }

  #passwordOf({ password }: PeerSpec): SecretVersion | undefined {
    const reference = password?.secretKeyRef;
    if (reference === undefined || !given(reference.name)) return undefined;
    const { name, key } = reference;
    const version = this.#libraries.secrets({ name, key });
    if (version === undefined) throw new Error(noSecret(name, key));
    return { name, key, version };
  }

  /** Reflectors of one cluster id are equals; those of the mesh are all equals. */
  #isClient(type: PeerType, node: NodeView | undefined): boolean {
    const { clusterId } = this.#self;
    if (clusterId !== undefined) return node?.clusterId !== clusterId;
    const { topology } = this.#libraries;
    if (type !== 'mesh' || node === undefined) return false;
    return topology.isReflector(this.#self) && !topology.isReflector(node);
  }
}

function noLink(interfaceName: string): string {
  return `interface "${interfaceName}" is not up or has no link-local address yet`;
}

function noSecret(name: string, key: string): string {
  return `secret "${name}" has no key "${key}" yet`;
}
