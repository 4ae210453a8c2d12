// Tunnel devices and the routes that felix owns to other nodes' blocks.
import { type Address, addressAt, hostPrefix, type Prefix, parsePrefix } from '@calico/ip';
import {
  decideBlockRoute,
  type IPAMBlock,
  type IPPool,
  ipPoolOf,
  type Node,
  sameSubnet,
  vxlanTunnelMac,
} from '@calico/model';
import {
  fdbKey,
  IPIP_DEVICE,
  neighbourKey,
  type OwnedFdbEntry,
  type OwnedNeighbour,
  type OwnedRoute,
  type TunnelDevice,
  VXLAN_DEVICE,
} from './dataplane.ts';
import { mergeRoutes } from './merged_routes.ts';
import { type NodeFacts, nodeFacts, optionalAddress } from './node_facts.ts';
import { type MissingFeatures, usesIpip, usesVxlan } from './pools.ts';
import { ipipDeviceMtu, type TunnelSettings, vxlanDeviceMtu } from './tunnel_settings.ts';

export type Uplink = {
  /** Device that holds the node's IPv4 address. */
  readonly device: string;
  readonly mtu: number;
};

export type OverlayInputs = {
  readonly node: string;
  readonly pools: readonly IPPool[];
  readonly nodes: readonly Node[];
  readonly blocks: readonly IPAMBlock[];
  readonly uplink: Uplink | undefined;
  readonly missing: MissingFeatures;
  readonly settings: TunnelSettings;
};

export type Overlay = {
  readonly tunnels: ReadonlyMap<string, TunnelDevice>;
  readonly routes: ReadonlyMap<string, OwnedRoute>;
  readonly neighbours: ReadonlyMap<string, OwnedNeighbour>;
  readonly fdb: ReadonlyMap<string, OwnedFdbEntry>;
};

export function computeOverlay(inputs: OverlayInputs): Overlay {
  const facts = new Map<string, NodeFacts>();
  for (const node of inputs.nodes) {
    const known = nodeFacts(node);
    if (known !== undefined) facts.set(known.name, known);
  }
  const local = facts.get(inputs.node);
  const { uplink } = inputs;
  if (local === undefined || uplink === undefined) return NO_OVERLAY;
  const tunnels = tunnelDevices(inputs, local, uplink);
  const remotes = [...facts.values()].filter((node) => node.name !== inputs.node);
  const neighbours = new Map<string, OwnedNeighbour>();
  const fdb = new Map<string, OwnedFdbEntry>();
  if (tunnels.has(VXLAN_DEVICE)) {
    for (const { vtep, vtepMac, address } of remotes) {
      if (vtep === undefined) continue;
      const neighbour = { device: VXLAN_DEVICE, address: vtep, mac: vtepMac };
      const entry = { device: VXLAN_DEVICE, mac: vtepMac, destination: address };
      neighbours.set(neighbourKey(neighbour), neighbour);
      fdb.set(fdbKey(entry), entry);
    }
  }
  const routes: OwnedRoute[] = [];
  for (const { destination, node } of remoteDestinations(inputs)) {
    const remote = facts.get(node);
    if (remote === undefined) continue;
    const pool = ipPoolOf(inputs.pools, destination);
    const route = overlayRoute(destination, remote, local, pool, uplink);
    if (route === undefined) continue;
    if (route.device === VXLAN_DEVICE && !tunnels.has(VXLAN_DEVICE)) continue;
    routes.push(route);
  }
  return { tunnels, routes: mergeRoutes(routes), neighbours, fdb };
}

const NO_OVERLAY: Overlay = {
  tunnels: new Map(),
  routes: new Map(),
  neighbours: new Map(),
  fdb: new Map(),
};

function tunnelDevices(
  inputs: OverlayInputs,
  local: NodeFacts,
  uplink: Uplink,
): Map<string, TunnelDevice> {
  const tunnels = new Map<string, TunnelDevice>();
  if (inputs.pools.some(usesVxlan) && !inputs.missing.has('vxlan')) {
    tunnels.set(VXLAN_DEVICE, {
      name: VXLAN_DEVICE,
      mtu: vxlanDeviceMtu(inputs.settings, uplink.mtu),
      address: local.vtep,
      vxlan: {
        vni: inputs.settings.vxlanVni,
        port: inputs.settings.vxlanPort,
        local: local.address,
        parent: uplink.device,
        mac: vxlanTunnelMac(inputs.node),
      },
    });
  }
  if (inputs.pools.some(usesIpip) && !inputs.missing.has('ipip')) {
    const own = inputs.nodes.find((node) => node.metadata.name === inputs.node);
    tunnels.set(IPIP_DEVICE, {
      name: IPIP_DEVICE,
      mtu: ipipDeviceMtu(inputs.settings, uplink.mtu),
      address: optionalAddress(own?.spec.bgp?.ipv4IPIPTunnelAddr),
      vxlan: undefined,
    });
  }
  return tunnels;
}

/** Blocks of other nodes, and single addresses that another node uses out of a block not its own. */
function* remoteDestinations(inputs: OverlayInputs): Generator<{
  readonly destination: Prefix;
  readonly node: string;
}> {
  for (const block of inputs.blocks) {
    const cidr = parsePrefix(block.spec.cidr, { hostBits: 'clear' });
    if (cidr.family !== 4) continue;
    const owner = hostOfAffinity(block.spec.affinity);
    if (owner !== undefined && owner !== inputs.node) yield { destination: cidr, node: owner };
    for (const { address, node } of allocationsOf(block, cidr)) {
      if (node !== owner && node !== inputs.node) {
        yield { destination: hostPrefix(address), node };
      }
    }
  }
}

function* allocationsOf(
  block: IPAMBlock,
  cidr: Prefix,
): Generator<{ readonly address: Address; readonly node: string }> {
  for (const [ordinal, index] of block.spec.allocations.entries()) {
    if (index === null) continue;
    const attribute = block.spec.attributes[index];
    // An address that cools down after its release is nobody's.
    if (attribute === undefined || attribute.releasedAt !== undefined) continue;
    const node = attribute.secondary?.['node'];
    if (node !== undefined && node !== '') yield { address: addressAt(cidr, ordinal), node };
  }
}

/** "host:k8s-node01" -> "k8s-node01". */
export function hostOfAffinity(affinity: string | undefined): string | undefined {
  return affinity?.startsWith('host:') ? affinity.slice('host:'.length) : undefined;
}

function overlayRoute(
  destination: Prefix,
  remote: NodeFacts,
  local: NodeFacts,
  pool: IPPool | undefined,
  uplink: Uplink,
): OwnedRoute | undefined {
  const decision = decideBlockRoute(pool, sameSubnet(local, remote.address));
  if (decision.owner !== 'felix') return undefined;
  const isNative = decision.device === 'native';
  const gateway = isNative ? remote.address : remote.vtep;
  if (gateway === undefined) return undefined;
  return {
    destination,
    device: isNative ? uplink.device : decision.device,
    gateway,
    onlink: decision.onlink,
    protocol: decision.protocol,
    scope: 'global',
    metric: 0,
  };
}
