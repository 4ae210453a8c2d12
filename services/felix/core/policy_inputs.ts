import {
  API_VERSION,
  felixConfigurationFor,
  type Kind,
  STAGED_KINDS,
  type WorkloadEndpoint,
} from '@calico/model';
import type { ClusterView, PolicyInputs } from '../ports.ts';
import type { LongList } from './policy/graph/input_versions.ts';
import type { HostInterface } from './policy/host/host_endpoints.ts';

/** What PolicyNotes look at. */
export const NOTED_KINDS: ReadonlySet<Kind> = new Set<Kind>([
  ...STAGED_KINDS,
  'NetworkPolicy',
  'GlobalNetworkPolicy',
  'Tier',
]);

/** Where the inputs have the resources of a kind. */
export const POLICY_LISTS: ReadonlyMap<Kind, LongList> = new Map<Kind, LongList>([
  ['WorkloadEndpoint', 'workloadEndpoints'],
  ['NetworkPolicy', 'networkPolicies'],
  ['GlobalNetworkPolicy', 'globalNetworkPolicies'],
  ['Tier', 'tiers'],
  ['Profile', 'profiles'],
  ['NetworkSet', 'networkSets'],
  ['GlobalNetworkSet', 'globalNetworkSets'],
  ['IPPool', 'ipPools'],
  ['Node', 'nodes'],
  ['HostEndpoint', 'hostEndpoints'],
  ['KubernetesEndpointSlice', 'endpointSlices'],
]);

/** A change of any other kind leaves the packet filter as it is. */
export const POLICY_KINDS: ReadonlySet<Kind> = new Set([
  ...POLICY_LISTS.keys(),
  'FelixConfiguration',
]);

/**
 * `local` replaces what the view holds of this node. `hostInterfaces` is asked only for a host endpoint that names no
 * interface.
 */
export function policyInputs(
  node: string,
  view: ClusterView,
  local: readonly WorkloadEndpoint[],
  hostInterfaces: () => readonly HostInterface[],
): PolicyInputs {
  const elsewhere = view.list('WorkloadEndpoint').filter(({ spec }) => spec.node !== node);
  return {
    ...settingInputs(node, view, hostInterfaces),
    localEndpoints: local,
    workloadEndpoints: [...local, ...elsewhere],
    networkPolicies: view.list('NetworkPolicy'),
    globalNetworkPolicies: view.list('GlobalNetworkPolicy'),
    tiers: view.list('Tier'),
    profiles: view.list('Profile'),
    networkSets: view.list('NetworkSet'),
    globalNetworkSets: view.list('GlobalNetworkSet'),
    ipPools: view.list('IPPool'),
    nodes: view.list('Node'),
    hostEndpoints: view.list('HostEndpoint'),
    endpointSlices: view.list('KubernetesEndpointSlice'),
  };
}

/** All but the lists of resources. */
export function settingInputs(
  node: string,
  view: ClusterView,
  hostInterfaces: () => readonly HostInterface[],
): Omit<PolicyInputs, LongList | 'localEndpoints'> {
  return {
    node,
    inSync: view.inSync,
    felixConfiguration: {
      apiVersion: API_VERSION,
      kind: 'FelixConfiguration',
      metadata: { name: `node.${node}` },
      spec: felixConfigurationFor(node, view.list('FelixConfiguration')),
    },
    hostInterfaces: dependsOnAddresses(node, view) ? hostInterfaces() : [],
  };
}

/** Whether a host endpoint of this node is found by the addresses of interfaces. */
export function dependsOnAddresses(node: string, view: ClusterView): boolean {
  return view
    .list('HostEndpoint')
    .some(({ spec }) => spec.node === node && spec.interfaceName === undefined);
}

/** How many policies are staged. */
export function pendingPolicies(view: ClusterView): number {
  return STAGED_KINDS.reduce((count, kind) => count + view.list(kind).length, 0);
}
