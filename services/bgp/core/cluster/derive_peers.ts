// Whom this node peers with: the mesh, and BGPPeer resources with their selectors (reference: the
// confd templates of upstream). What names a peer explicitly beats what generates it.
import {
  type Address,
  firstAddress,
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
import { given, type NodeView } from './node_view.ts';
import { PeerBook, type PeerDerivation } from './peer_book.ts';
import { BGP_PORT } from './peer_key.ts';
import { type Libraries, PeerMaker, type Settings } from './peer_maker.ts';
import type { ClusterResources } from './resources.ts';

export function derivePeers(
  self: NodeView,
  routerId: number,
  nodes: readonly NodeView[],
  resources: ClusterResources,
  libraries: Libraries,
): PeerDerivation {
  const configuration = bgpConfigurationFor(self.name, resources.bgpConfigurations);
  const maker = new PeerMaker(self, routerId, libraries, configuration);
  const book = new PeerBook(maker);
  const finder = new PeerFinder(self, nodes, libraries, configuration, maker, book);
  if (configuration.nodeToNodeMeshEnabled && self.clusterId === undefined) finder.addMesh();
  const sorted = resources.bgpPeers.toSorted((a, b) =>
    a.metadata.name < b.metadata.name ? -1 : 1,
  );
  // Least explicit first: what comes later takes the place of what is there.
  for (const peer of sorted) book.attemptPeer(peer, () => finder.addReverse(peer));
  for (const isGlobal of [true, false]) {
    for (const peer of sorted) {
      if (isGlobalPeer(peer) === isGlobal) book.attemptPeer(peer, () => finder.addPeer(peer));
    }
  }
  return book;
}

/** Who is a peer of this node. */
class PeerFinder {
  readonly #self: NodeView;
  /** The others. */
  readonly #nodes: readonly NodeView[];
  readonly #libraries: Libraries;
  readonly #spec: BGPConfiguration['spec'];
  readonly #maker: PeerMaker;
  readonly #book: PeerBook;

  constructor(
    self: NodeView,
    nodes: readonly NodeView[],
    libraries: Libraries,
    spec: BGPConfiguration['spec'],
    maker: PeerMaker,
    book: PeerBook,
  ) {
    this.#self = self;
    this.#nodes = nodes.filter(({ name }) => name !== self.name);
    this.#libraries = libraries;
    this.#spec = spec;
    this.#maker = maker;
    this.#book = book;
  }

  addMesh(): void {
    const { nodeMeshMaxRestartTime, nodeMeshPassword } = this.#spec;
    const spec = { maxRestartTime: nodeMeshMaxRestartTime, password: nodeMeshPassword };
    const { topology } = this.#libraries;
    this.#book.attempt('Cannot peer in the mesh', () => {
      for (const node of this.#nodes) {
        if (node.clusterId !== undefined) continue;
        if (topology.joins(this.#self, node)) this.#addNode(node, { type: 'mesh', spec });
        else this.#book.leaveOut(node);
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
    if (given(spec.peerPrefix)) return this.#book.addRange(spec.peerPrefix, settings);
    if (given(spec.peerSelector)) {
      const selector = parseSelector(spec.peerSelector);
      for (const node of this.#nodes) {
        if (selector.matches(node.labels)) this.#addNode(node, settings);
      }
      return;
    }
    const target = splitPeerAddress(spec.peerIP ?? '');
    if (target === undefined) throw new Error('it has neither peerIP nor peerSelector');
    const asn = this.#maker.asnOf(spec);
    const address = parseAddress(target.address);
    if (this.#isSelf(address)) return;
    const node = this.#nodes.find((each) => {
      const own = each.address[address.family];
      return own !== undefined && sameAddress(own, address);
    });
    const port = target.port ?? node?.listenPort ?? BGP_PORT;
    const farEnd = { address, port, asn, node };
    this.#book.add({ ...farEnd, interface: target.interface }, settings);
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
      this.#book.add({ address, port: node.listenPort, asn: node.asn, node }, settings);
    }
  }

  /** Workloads of this node dial it; it never dials them, for they may have no speaker. */
  #addWorkloads(isSelected: (workload: WorkloadEndpoint) => boolean, settings: Settings): void {
    const asn = this.#maker.asnOf(settings.spec);
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
        this.#book.add(farEnd, { ...settings, spec });
      }
    }
  }

  /** Nothing but the interface is known of the peer, and no address of the other family is on it. */
  #addLink(interfaceName: string, settings: Settings): void {
    const { addressFamilies = ['IPv4', 'IPv6'] } = settings.spec;
    const spec = { ...settings.spec, addressFamilies };
    const address = this.#libraries.neighbourOn(interfaceName);
    this.#book.addLink(interfaceName, address, { ...settings, spec });
  }

  #isSelf(address: Address): boolean {
    const own = this.#self.address[address.family];
    return own !== undefined && sameAddress(own, address);
  }
}

function isGlobalPeer({ spec }: BGPPeer): boolean {
  return !given(spec.node) && !given(spec.nodeSelector);
}
