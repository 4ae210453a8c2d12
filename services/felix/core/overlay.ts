// Tunnel devices and the routes that felix owns to other nodes' blocks.
import {
  type Address,
  addressAt,
  addressBits,
  FAMILIES,
  type Family,
  hostPrefix,
  type Prefix,
  parsePrefix,
  samePrefix,
} from '@calico/ip';
import {
  decideBlockRoute,
  type IPAMBlock,
  type IPPool,
  ipPoolOf,
  type Node,
  sameSubnet,
  VXLAN_DEVICES,
  vxlanTunnelMac,
} from '@calico/model';
import {
  DEFAULT_METRIC,
  fdbKey,
  IPIP_DEVICE,
  neighbourKey,
  type OwnedFdbEntry,
  type OwnedNeighbour,
  type OwnedRoute,
  PROTOCOL_FELIX,
  routeKey,
  type TunnelDevice,
} from './dataplane.ts';
import { mergeRoutes } from './merged_routes.ts';
import { type NodeFacts, nodeFacts, optionalAddress } from './node_facts.ts';
import { type MissingFeatures, usesIpip, usesVxlanOver } from './pools.ts';
import {
  ipipDeviceMtu,
  type TunnelSettings,
  vxlanDeviceMtu,
  vxlanV6Refusal,
} from './tunnel_settings.ts';
import type { Uplink, Uplinks } from './uplinks.ts';

export type OverlayInputs = {
  readonly node: string;
  readonly pools: readonly IPPool[];
  readonly nodes: readonly Node[];
  readonly blocks: readonly IPAMBlock[];
  readonly uplinks: Uplinks;
  readonly missing: MissingFeatures;
  readonly settings: TunnelSettings;
};

export type Overlay = {
  readonly tunnels: ReadonlyMap<string, TunnelDevice>;
  readonly routes: ReadonlyMap<string, OwnedRoute>;
  readonly neighbours: ReadonlyMap<string, OwnedNeighbour>;
  readonly fdb: ReadonlyMap<string, OwnedFdbEntry>;
};

/** VXLAN of one IP version, as this node takes part in it. */
type Vxlan = {
  readonly family: Family;
  readonly uplink: Uplink;
  readonly local: NodeFacts;
  /** By name. */
  readonly remotes: ReadonlyMap<string, NodeFacts>;
  /** Undefined: the kernel has none, or none of the MTU. */
  readonly device: TunnelDevice | undefined;
};

export function computeOverlay(inputs: OverlayInputs): Overlay {
  const tunnels = new Map<string, TunnelDevice>();
  const neighbours = new Map<string, OwnedNeighbour>();
  const fdb = new Map<string, OwnedFdbEntry>();
  const routes = new Map<string, OwnedRoute>();
  for (const family of FAMILIES) {
    const vxlan = vxlanOver(family, inputs);
    if (vxlan === undefined) continue;
    if (vxlan.device !== undefined) {
      const device = vxlan.device.name;
      tunnels.set(device, vxlan.device);
      for (const { vtep, vtepMac: mac, address: destination } of vxlan.remotes.values()) {
        if (vtep === undefined) continue;
        const neighbour = { device, address: vtep, mac };
        const entry = { device, mac, destination };
        neighbours.set(neighbourKey(neighbour), neighbour);
        fdb.set(fdbKey(entry), entry);
        if (family === 4) continue;
        const route = vtepRoute(device, vtep);
        routes.set(routeKey(route), route);
      }
    }
    for (const [key, route] of mergeRoutes(blockRoutes(vxlan, inputs))) routes.set(key, route);
  }
  const ipip = ipipDevice(inputs);
  if (ipip !== undefined) tunnels.set(ipip.name, ipip);
  return { tunnels, routes, neighbours, fdb };
}

function vxlanOver(family: Family, inputs: OverlayInputs): Vxlan | undefined {
  const uplink = inputs.uplinks[family];
  if (uplink === undefined || !inputs.pools.some((pool) => usesVxlanOver(pool, family))) {
    return undefined;
  }
  const remotes = new Map<string, NodeFacts>();
  for (const node of inputs.nodes) {
    const known = nodeFacts(node, family);
    if (known !== undefined) remotes.set(known.name, known);
  }
  const local = remotes.get(inputs.node);
  if (local === undefined) return undefined;
  remotes.delete(inputs.node);
  const { missing, settings } = inputs;
  const isRefused =
    missing.has('vxlan') || (family === 6 && vxlanV6Refusal(settings, uplink.mtu) !== undefined);
  const device = isRefused ? undefined : vxlanDevice(family, local, uplink, settings);
  return { family, uplink, local, remotes, device };
}

function vxlanDevice(
  family: Family,
  { name, address, vtep }: NodeFacts,
  { device: parent, mtu }: Uplink,
  settings: TunnelSettings,
): TunnelDevice {
  return {
    name: VXLAN_DEVICES[family],
    mtu: vxlanDeviceMtu(settings, family, mtu),
    address: vtep,
    vxlan: {
      vni: settings.vxlanVni,
      port: settings.vxlanPort,
      local: address,
      parent,
      mac: vxlanTunnelMac(name, family),
    },
  };
}

function ipipDevice({
  node,
  nodes,
  pools,
  uplinks: { 4: uplink },
  missing,
  settings,
}: OverlayInputs): TunnelDevice | undefined {
  const own = nodes.find(({ metadata }) => metadata.name === node);
  if (own === undefined || uplink === undefined) return undefined;
  if (!pools.some(usesIpip) || missing.has('ipip')) return undefined;
  return {
    name: IPIP_DEVICE,
    mtu: ipipDeviceMtu(settings, uplink.mtu),
    address: optionalAddress(own.spec.bgp?.ipv4IPIPTunnelAddr),
    vxlan: undefined,
  };
}

/**
 * The kernel refuses an IPv6 next hop on a device while its routes lead to it by another, be it by the very route that is
 * to be replaced: that of the block, which was native (ip6_route_check_nh_onlink(), net/ipv6/route.c).
 */
function vtepRoute(device: string, vtep: Address): OwnedRoute {
  return {
    destination: hostPrefix(vtep),
    device,
    gateway: undefined,
    onlink: false,
    protocol: PROTOCOL_FELIX,
    scope: 'global',
    metric: DEFAULT_METRIC[6],
  };
}

function* blockRoutes(vxlan: Vxlan, inputs: OverlayInputs): Generator<OwnedRoute> {
  for (const { destination, node } of remoteDestinations(vxlan.family, inputs)) {
    const remote = vxlan.remotes.get(node);
    if (remote === undefined) continue;
    const route = blockRoute(destination, remote, ipPoolOf(inputs.pools, destination), vxlan);
    if (route !== undefined) yield route;
  }
}

/** Blocks of other nodes, and single addresses that another node uses out of a block not its own. */
function* remoteDestinations(
  family: Family,
  inputs: OverlayInputs,
): Generator<{
  readonly destination: Prefix;
  readonly node: string;
}> {
  for (const block of inputs.blocks) {
    const cidr = parsePrefix(block.spec.cidr, { hostBits: 'clear' });
    if (cidr.family !== family) continue;
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

function blockRoute(
  destination: Prefix,
  remote: NodeFacts,
  pool: IPPool | undefined,
  { family, local, uplink, device }: Vxlan,
): OwnedRoute | undefined {
  const decision = decideBlockRoute(pool, sameSubnet(local, remote.address));
  if (decision.owner !== 'felix') return undefined;
  const isNative = decision.device === 'native';
  const gateway = isNative ? remote.address : remote.vtep;
  if (gateway === undefined || (!isNative && device === undefined)) return undefined;
  // It has its own, see vtepRoute().
  if (family === 6 && isVtep(destination, remote)) return undefined;
  return {
    destination,
    device: isNative ? uplink.device : decision.device,
    gateway,
    onlink: decision.onlink,
    protocol: decision.protocol,
    scope: 'global',
    metric: DEFAULT_METRIC[family],
  };
}

function isVtep(destination: Prefix, { vtep }: NodeFacts): boolean {
  return (
    destination.length === addressBits(destination.family) &&
    vtep !== undefined &&
    samePrefix(destination, hostPrefix(vtep))
  );
}
