// From the cluster's resources to what this node's speaker should be. Pure.
import { parseRouterId } from '@calico/bgp-wire';
import { type Address, type Family, formatAddress, type Prefix, parsePrefix } from '@calico/ip';
import {
  bgpConfigurationFor,
  type IPPool,
  type Node,
  routerIdFromName,
  workloadPeeringAddresses,
} from '@calico/model';
import type { BmpSettings } from '../bmp/settings.ts';
import type { RecordingSettings } from '../mrt/session_recording.ts';
import type { ServiceRules } from '../services/service_rules.ts';
import type { SpeakerConfig } from '../speaker/config.ts';
import { deriveBmp } from './derive_bmp.ts';
import { deriveAdvertisements, FilterLibrary } from './derive_filters.ts';
import { derivePeers } from './derive_peers.ts';
import { deriveRecording } from './derive_recording.ts';
import { deriveOwnRoutes, derivePools, deriveServices } from './derive_routes.ts';
import { type NodeView, viewNode } from './node_view.ts';
import type { StaticRoute } from './peer_book.ts';
import type { ClusterResources } from './resources.ts';
import { NO_SURROUNDINGS, type Surroundings } from './surroundings.ts';
import { chooseTopology, type Topology } from './topology.ts';

export type Derived = {
  readonly speaker: SpeakerConfig;
  /** Keys of peers that only the topology of the mesh leaves out. */
  readonly leftOut: ReadonlySet<string>;
  /** Widest first. */
  readonly pools: readonly { readonly prefix: Prefix; readonly pool: IPPool }[];
  readonly subnet: Readonly<Record<Family, Prefix | undefined>>;
  /** No kernel routes for these: kube-proxy takes care of them. */
  readonly services: readonly Prefix[];
  readonly serviceRules: ServiceRules;
  /** Ways to peers behind gateways. */
  readonly statics: readonly StaticRoute[];
  readonly programs: Programs;
  /** Listen on the node's own address only (BGPConfiguration.bindMode). */
  readonly bindsNodeAddress: boolean;
  /** Where workloads that are peers find this node; undefined: at its address. */
  readonly workloadPeering: Readonly<Record<Family, Address | undefined>>;
  /** Undefined: nobody monitors. */
  readonly bmp: BmpSettings | undefined;
  /** Undefined: nothing that peers say is kept. */
  readonly recording: RecordingSettings | undefined;
};

/** Which routes to other nodes' blocks this service programs (BGPConfiguration.programClusterRoutes). */
export type Programs = { readonly noEncapsulation: boolean; readonly ipip: boolean };

export type Derivation = {
  /** Undefined while this node cannot speak BGP; the problems say why. */
  readonly derived: Derived | undefined;
  readonly problems: readonly string[];
};

/** @param routerId "" for the node's IPv4 address, "hash" for the hash of its name, or a dotted quad */
export function deriveSpeaker(
  nodeName: string,
  routerId: string,
  resources: ClusterResources,
  surroundings: Surroundings = NO_SURROUNDINGS,
): Derivation {
  const problems: string[] = [];
  const nodes = resources.nodes.flatMap((node) => {
    const view = tryView(node, resources, problems);
    return view === undefined ? [] : [view];
  });
  const self = nodes.find(({ name }) => name === nodeName);
  if (self === undefined) {
    return { derived: undefined, problems: [...problems, `Node "${nodeName}" does not exist yet`] };
  }
  if (self.address[4] === undefined && self.address[6] === undefined) {
    const problem = `Node "${nodeName}" has neither spec.bgp.ipv4Address nor spec.bgp.ipv6Address: it takes no part in BGP`;
    return { derived: undefined, problems: [...problems, problem] };
  }
  const ownRouterId = chooseRouterId(self, routerId);
  const filters = new FilterLibrary(resources.bgpFilters);
  const configuration = bgpConfigurationFor(nodeName, resources.bgpConfigurations);
  const topology = chooseTopology(nodes, bgpConfigurationFor('', resources.bgpConfigurations));
  const peers = derivePeers(self, ownRouterId, nodes, resources, {
    filters,
    ...surroundings,
    topology,
    workloadEndpoints: resources.workloadEndpoints,
  });
  const pools = derivePools(resources.ipPools);
  const services = deriveServices(configuration, self, surroundings);
  const reflector = reasonToReflect(self, topology);
  const programs = programsOf(configuration.programClusterRoutes);
  return {
    problems: [
      ...problems,
      ...filters.problems,
      ...peers.problems,
      ...abandonedPools(pools, programs, configuration.programClusterRoutes),
    ],
    derived: {
      pools,
      leftOut: peers.leftOut,
      services: services.all,
      serviceRules: services.rules,
      statics: peers.reachableBy,
      programs,
      subnet: self.subnet,
      bindsNodeAddress: configuration.bindMode === 'NodeIP',
      workloadPeering: workloadPeeringAddresses(configuration),
      bmp: deriveBmp(configuration.bmp),
      recording: deriveRecording(configuration.sessionRecording),
      speaker: {
        listenPort: self.listenPort,
        reflector,
        peers: peers.peers,
        ranges: peers.ranges,
        links: peers.links,
        awaited: [...peers.awaited.values()],
        ownRoutes: deriveOwnRoutes(nodeName, resources, services),
        local: {
          asn: self.asn,
          routerId: ownRouterId,
          address: self.address,
          subnet: self.subnet,
          ...(configuration.confederation === undefined
            ? {}
            : { confederation: configuration.confederation.identifier }),
          ...(configuration.asSets === 'Accept' ? { takesAsSets: true } : {}),
          ...(configuration.aggregates?.length
            ? { aggregates: configuration.aggregates.map(({ cidr }) => parsePrefix(cidr)) }
            : {}),
          clusterId: reflector === 'chosen' ? ownRouterId : self.clusterId,
          pools: pools.map(({ pool: _pool, ...policy }) => policy),
          advertisements: deriveAdvertisements(configuration),
          serviceRanges: services.reflected,
        },
      },
    },
  };
}

function reasonToReflect(self: NodeView, topology: Topology): SpeakerConfig['reflector'] {
  if (self.clusterId !== undefined) return 'configured';
  return topology.isReflector(self) ? 'chosen' : undefined;
}

/** Unset means both: the model's ownership function gives both to this service, none to Felix. */
function programsOf(setting: string | undefined): Programs {
  return {
    noEncapsulation: setting !== 'Disabled' && setting !== 'EnabledIPIPOnly',
    ipip: setting !== 'Disabled' && setting !== 'EnabledNoEncapOnly',
  };
}

/** Pools whose routes nobody programs, as the setting of upstream has it. */
function abandonedPools(
  pools: readonly { readonly pool: IPPool }[],
  programs: Programs,
  setting: string | undefined,
): string[] {
  return pools.flatMap(({ pool: { metadata, spec } }) => {
    if (spec.disabled || (spec.vxlanMode ?? 'Never') !== 'Never') return [];
    const isIpip = (spec.ipipMode ?? 'Never') !== 'Never';
    if (isIpip ? programs.ipip : programs.noEncapsulation) return [];
    return [
      `Pool "${metadata.name}" gets no routes to other nodes: programClusterRoutes is "${setting}"`,
    ];
  });
}

function tryView(
  node: Node,
  resources: ClusterResources,
  problems: string[],
): NodeView | undefined {
  try {
    return viewNode(node, resources);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    problems.push(`Cannot use Node "${node.metadata.name}": ${reason}`);
    return undefined;
  }
}

function chooseRouterId({ name, address }: NodeView, configured: string): number {
  if (configured !== '' && configured !== 'hash') return parseRouterId(configured);
  const own = address[4];
  return parseRouterId(
    configured === 'hash' || own === undefined ? routerIdFromName(name) : formatAddress(own),
  );
}
