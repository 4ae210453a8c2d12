// Whom this node peers with: the mesh, and BGPPeer resources with their selectors (reference: the
// confd templates of upstream). What names a peer explicitly beats what generates it.
import {
  type Address,
  firstAddress,
  formatAddress,
  formatPrefix,
  hostPrefix,
  isLinkLocal,
  parseAddress,
  parsePrefix,
  sameAddress,
} from '@calico/ip';
import {
  type BGPConfiguration,
  type BGPPeer,
  bgpConfigurationFor,
  isPeerOf,
  splitPeerAddress,
  type WorkloadEndpoint,
  workloadPeeringAddresses,
  workloadPeersOf,
} from '@calico/model';
import { parseSelector } from '@calico/selector';
import { NO_FILTERS } from '../policy/route_filter.ts';
import type { AwaitedPeer, PeerConfig, PeerType } from '../speaker/config.ts';
import type { PeerRange } from '../speaker/guests.ts';
import { Confederation } from './confederation.ts';
import { deriveBfd } from './derive_bfd.ts';
import type { FilterLibrary } from './derive_filters.ts';
import { given, type NodeView } from './node_view.ts';
import { PeerClaims } from './peer_claims.ts';
import { BGP_PORT, peerKey } from './peer_key.ts';
import { limitOption, type PeerSpec, sessionOptions, ttlOptions } from './peer_options.ts';
import type { ClusterResources } from './resources.ts';
import type { SecretVersion } from './secrets.ts';
import type { Surroundings } from './surroundings.ts';
import type { Topology } from './topology.ts';

/** Of one range, unless the BGPPeer says otherwise. */
const MAX_PEERS = 100;

export type PeerDerivation = {
  readonly peers: ReadonlyMap<string, PeerConfig>;
  /** Those that cannot be spoken to yet, by key. */
  readonly awaited: ReadonlyMap<string, AwaitedPeer>;
  /** Keys of the mesh's peers that the topology leaves out. */
  readonly leftOut: ReadonlySet<string>;
  readonly ranges: readonly PeerRange[];
  readonly problems: readonly string[];
  /** How peers behind gateways are reached (BGPPeer.reachableBy). */
  readonly reachableBy: readonly StaticRoute[];
  /** Links whose far ends are peers (BGPPeer.peerInterface). */
  readonly links: readonly string[];
};

/** A route to one address. */
export type StaticRoute = { readonly address: Address; readonly gateway: Address };

type Settings = {
  readonly type: PeerType;
  readonly spec: PeerSpec;
  /** Name of the BGPPeer that is explicit about it. */
  readonly resource?: string;
};

type FarEnd = {
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
type Libraries = Surroundings & {
  readonly filters: FilterLibrary;
  readonly workloadEndpoints: readonly WorkloadEndpoint[];
  readonly topology: Topology;
};

export function derivePeers(
  self: NodeView,
  routerId: number,
  nodes: readonly NodeView[],
  resources: ClusterResources,
  libraries: Libraries,
): PeerDerivation {
  const configuration = bgpConfigurationFor(self.name, resources.bgpConfigurations);
  const derivation = new Derivation(self, routerId, nodes, libraries, configuration);
  if (configuration.nodeToNodeMeshEnabled && self.clusterId === undefined) {
    derivation.addMesh(configuration);
  }
  const sorted = resources.bgpPeers.toSorted((a, b) =>
    a.metadata.name < b.metadata.name ? -1 : 1,
  );
  // Least explicit first: what comes later takes the place of what is there.
  for (const peer of sorted) derivation.attempt(peer, () => derivation.addReverse(peer));
  for (const isGlobal of [true, false]) {
    for (const peer of sorted) {
      if (isGlobalPeer(peer) === isGlobal) derivation.attempt(peer, () => derivation.addPeer(peer));
    }
  }
  return derivation;
}

class Derivation implements PeerDerivation {
  readonly peers = new Map<string, PeerConfig>();
  readonly awaited = new Map<string, AwaitedPeer>();
  readonly leftOut = new Set<string>();
  readonly #ranges = new Map<string, PeerRange>();
  readonly links: string[] = [];
  readonly problems: string[] = [];
  readonly #claims = new PeerClaims();
  readonly #reachableBy = new Map<string, StaticRoute>();
  readonly #libraries: Libraries;
  readonly #spec: BGPConfiguration['spec'];
  readonly #confederation: Confederation;
  readonly #self: NodeView;
  readonly #routerId: number;
  readonly #nodes: readonly NodeView[];
  /** Begins the problems of what is being derived. */
  #attempted = '';

  constructor(
    self: NodeView,
    routerId: number,
    nodes: readonly NodeView[],
    libraries: Libraries,
    spec: BGPConfiguration['spec'],
  ) {
    this.#spec = spec;
    this.#confederation = new Confederation(spec.confederation);
    this.#libraries = libraries;
    this.#self = self;
    this.#routerId = routerId;
    this.#nodes = nodes.filter(({ name }) => name !== self.name);
  }

  get ranges(): readonly PeerRange[] {
    return [...this.#ranges.values()];
  }

  get reachableBy(): readonly StaticRoute[] {
    return [...this.#reachableBy.values()];
  }

  /** A resource that another writer stored with broken fields costs that resource only. */
  attempt(peer: BGPPeer, add: () => void): void {
    this.#attempt(`Cannot use BGPPeer "${peer.metadata.name}"`, add);
  }

  #attempt(what: string, add: () => void): void {
    this.#attempted = what;
    try {
      add();
    } catch (cause) {
      this.#tell(cause instanceof Error ? cause.message : String(cause));
    }
  }

  #tell(reason: string): void {
    const problem = `${this.#attempted}: ${reason}`;
    if (!this.problems.includes(problem)) this.problems.push(problem);
  }

  addMesh({ nodeMeshMaxRestartTime, nodeMeshPassword }: BGPConfiguration['spec']): void {
    const spec = { maxRestartTime: nodeMeshMaxRestartTime, password: nodeMeshPassword };
    const { topology } = this.#libraries;
    this.#attempt('Cannot peer in the mesh', () => {
      for (const node of this.#nodes) {
        if (node.clusterId !== undefined) continue;
        if (topology.joins(this.#self, node)) this.#addNode(node, { type: 'mesh', spec });
        else this.#leaveOut(node);
      }
    });
  }

  addPeer(peer: BGPPeer): void {
    const { spec } = peer;
    if (!isPeerOf(this.#self, peer)) return;
    const type = isGlobalPeer(peer) ? 'global' : 'node';
    const settings: Settings = { type, spec, resource: peer.metadata.name };
    const isSelected = workloadPeersOf(peer);
    if (isSelected !== undefined) return this.#addWorkloads(isSelected, settings);
    if (given(spec.peerInterface)) return this.#addLink(spec.peerInterface, settings);
    if (given(spec.peerPrefix)) return this.#addRange(spec.peerPrefix, settings);
    if (given(spec.peerSelector)) {
      const selector = parseSelector(spec.peerSelector);
      for (const node of this.#nodes) {
        if (selector.matches(node.labels)) this.#addNode(node, settings);
      }
      return;
    }
    const target = splitPeerAddress(spec.peerIP ?? '');
    if (target === undefined) throw new Error('it has neither peerIP nor peerSelector');
    const asn = this.#asnOf(spec);
    const address = parseAddress(target.address);
    if (this.#isSelf(address)) return;
    const node = this.#nodes.find((each) => {
      const own = each.address[address.family];
      return own !== undefined && sameAddress(own, address);
    });
    const farEnd = { address, port: target.port, asn, node };
    this.#add({ ...farEnd, interface: target.interface }, settings);
  }

  /** The nodes that a peerSelector names peer back (reversePeering "Auto"). */
  addReverse(peer: BGPPeer): void {
    const { peerSelector, reversePeering } = peer.spec;
    if (!given(peerSelector) || reversePeering === 'Manual') return;
    if (!parseSelector(peerSelector).matches(this.#self.labels)) return;
    const type = isGlobalPeer(peer) ? 'global' : 'node';
    for (const node of this.#nodes) {
      if (isPeerOf(node, peer)) this.#addNode(node, { type, spec: peer.spec });
    }
  }

  #addNode(node: NodeView, settings: Settings): void {
    for (const family of [4, 6] as const) {
      const address = node.address[family];
      if (address === undefined || this.#self.address[family] === undefined) continue;
      this.#add({ address, port: node.listenPort, asn: node.asn, node }, settings);
    }
  }

  #add(farEnd: FarEnd, settings: Settings): void {
    const { reachableBy } = settings.spec;
    const { address } = farEnd;
    if (given(reachableBy)) {
      const gateway = parseAddress(reachableBy);
      this.#reachableBy.set(formatAddress(address), { address, gateway });
    }
    const key = peerKey(address, farEnd.port, farEnd.interface);
    const lack = this.#lackOf(settings.spec, farEnd.interface);
    if (lack === undefined) {
      this.#put(this.#configOf(farEnd, settings), settings.resource);
      this.awaited.delete(key);
    } else {
      // Nor is it spoken to as something less explicit has it.
      this.peers.delete(key);
      this.awaited.set(key, { prefix: hostPrefix(address), interface: farEnd.interface });
      this.#tell(lack);
    }
  }

  #put(config: PeerConfig, resource: string | undefined): void {
    this.peers.set(config.key, config);
    const problem = resource === undefined ? undefined : this.#claims.take(resource, config);
    if (problem !== undefined) this.problems.push(problem);
  }

  /** What has to be there before the peer can be spoken to, and is not yet. */
  #lackOf({ password }: PeerSpec, onLink: string | undefined): string | undefined {
    const { secrets, linkLocalAddress } = this.#libraries;
    if (onLink !== undefined && linkLocalAddress(onLink) === undefined) return noLink(onLink);
    const { name, key = '' } = password?.secretKeyRef ?? {};
    return given(name) && secrets({ name, key }) === undefined ? noSecret(name, key) : undefined;
  }

  #configOf(farEnd: FarEnd, { type, spec }: Settings): PeerConfig {
    const { address, port, asn, node, interface: onLink, ownAddress } = farEnd;
    const self = this.#self;
    const { family } = address;
    const key = peerKey(address, port, onLink);
    const own = self.address[family];
    const hasSource = spec.sourceAddress !== 'None' && onLink === undefined;
    const filters = spec.filters?.length
      ? this.#libraries.filters.combine(spec.filters, (problem) =>
          this.problems.push(`Peer "${key}": ${problem}`),
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
        ...(onLink === undefined ? {} : { linkLocal: this.#linkLocalOf(onLink), onLink }),
        ...(ownAddress === undefined ? {} : { ownAddress }),
      },
      ...limitOption(spec),
      bfd: deriveBfd(this.#spec.bfd, spec.bfd, address, self.subnet[family]),
    };
  }

  /** Workloads of this node dial it; it never dials them, for they may have no speaker. */
  #addWorkloads(isSelected: (workload: WorkloadEndpoint) => boolean, settings: Settings): void {
    const asn = this.#asnOf(settings.spec);
    const spec = { ...settings.spec, passive: true, sourceAddress: 'None' } as const;
    const peering = workloadPeeringAddresses(this.#spec);
    for (const workload of this.#libraries.workloadEndpoints) {
      if (!isSelected(workload)) continue;
      for (const network of workload.spec.ipNetworks ?? []) {
        const address = firstAddress(parsePrefix(network));
        const wanted = peering[address.family];
        // A link-local one means nothing without its interface, which the node's does not need.
        const ownAddress = wanted && isLinkLocal(wanted) ? undefined : wanted;
        const farEnd = { address, port: BGP_PORT, asn, node: undefined, ownAddress };
        this.#add(farEnd, { ...settings, spec });
      }
    }
  }

  #addRange(text: string, settings: Settings): void {
    const prefix = parsePrefix(text);
    const key = formatPrefix(prefix);
    const lack = this.#lackOf(settings.spec, undefined);
    if (lack !== undefined) {
      this.#ranges.delete(key);
      this.awaited.set(key, { prefix, interface: undefined });
      return this.#tell(lack);
    }
    const { maxPeers = MAX_PEERS } = settings.spec;
    const asn = this.#asnOf(settings.spec);
    const farEnd = { address: prefix, port: BGP_PORT, asn, node: undefined };
    const template = this.#configOf(farEnd, settings);
    const session = { ...template.session, isPassive: true };
    // The path is watched once there is somebody at its end.
    const passive = { ...template, session, bfd: undefined };
    this.awaited.delete(key);
    this.#ranges.set(key, { prefix, limit: maxPeers, template: passive });
  }

  /** Nothing but the interface is known of the peer, and no address of the other family is on it. */
  #addLink(interfaceName: string, settings: Settings): void {
    const { spec } = settings;
    const { addressFamilies = ['IPv4', 'IPv6'] } = spec;
    const asn = this.#asnOf(spec);
    if (!this.links.includes(interfaceName)) this.links.push(interfaceName);
    const address = this.#libraries.neighbourOn(interfaceName);
    if (address === undefined) {
      this.awaited.set(interfaceName, { prefix: undefined, interface: interfaceName });
      this.#linkLocalOf(interfaceName);
      throw new Error(`nobody has advertised itself on interface "${interfaceName}" yet`);
    }
    const farEnd = { address, port: BGP_PORT, asn, node: undefined };
    this.#add(
      { ...farEnd, interface: interfaceName },
      { ...settings, spec: { ...spec, addressFamilies } },
    );
  }

  #asnOf({ asNumber, remoteAS, localASNumber }: PeerSpec): FarEnd['asn'] {
    if (remoteAS === 'External') return 'any-other';
    if (remoteAS === 'Internal') return localASNumber ?? this.#self.asn;
    if (asNumber === undefined) throw new Error('it has neither asNumber nor remoteAS');
    return asNumber;
  }

  #linkLocalOf(interfaceName: string): Address {
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

  #leaveOut({ address, listenPort }: NodeView): void {
    for (const each of [address[4], address[6]]) {
      if (each !== undefined) this.leftOut.add(peerKey(each, listenPort));
    }
  }

  /** Reflectors of one cluster id are equals; those of the mesh are all equals. */
  #isClient(type: PeerType, node: NodeView | undefined): boolean {
    const { clusterId } = this.#self;
    if (clusterId !== undefined) return node?.clusterId !== clusterId;
    const { topology } = this.#libraries;
    if (type !== 'mesh' || node === undefined) return false;
    return topology.isReflector(this.#self) && !topology.isReflector(node);
  }

  #isSelf(address: Address): boolean {
    const own = this.#self.address[address.family];
    return own !== undefined && sameAddress(own, address);
  }
}

function noLink(interfaceName: string): string {
  return `interface "${interfaceName}" is not up or has no link-local address yet`;
}

function noSecret(name: string, key: string): string {
  return `secret "${name}" has no key "${key}" yet`;
}

export function isGlobalPeer({ spec }: BGPPeer): boolean {
  return !given(spec.node) && !given(spec.nodeSelector);
}
