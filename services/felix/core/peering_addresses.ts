// The node's address towards workloads that are BGP peers (BGPConfiguration.localWorkloadPeeringIPV4 and V6): on the host
// end of each that some BGPPeer of the node selects, as far as it has the IP version.
import { FAMILIES, type Family, parsePrefix } from '@calico/ip';
import {
  bgpConfigurationFor,
  isPeerOf,
  type PeeringNode,
  type WorkloadEndpoint,
  workloadPeeringAddresses,
  workloadPeersOf,
} from '@calico/model';
import type { ClusterView } from '../ports.ts';
import { addressKey, type OwnedAddress } from './dataplane.ts';
import { deviceOf } from './pod_routes.ts';

type Addresses = ReadonlyMap<string, OwnedAddress>;

const NONE: Addresses = new Map();

/** Costs nothing per endpoint unless there is such an address and a BGPPeer that selects workloads. */
export function peeringAddresses(
  node: string,
  view: Pick<ClusterView, 'list'>,
  local: readonly WorkloadEndpoint[],
): Addresses {
  const configuration = bgpConfigurationFor(node, view.list('BGPConfiguration'));
  const wanted = workloadPeeringAddresses(configuration);
  if (FAMILIES.every((family) => wanted[family] === undefined)) return NONE;
  const selections = selectionsOf(node, view);
  if (selections.length === 0) return NONE;
  const addresses = new Map<string, OwnedAddress>();
  for (const endpoint of local) {
    const device = deviceOf(endpoint);
    if (device === undefined || !selections.some((selects) => selects(endpoint))) continue;
    for (const family of familiesOf(endpoint)) {
      const address = wanted[family];
      if (address === undefined) continue;
      addresses.set(addressKey({ device, address }), { device, address });
    }
  }
  return addresses;
}

type Selection = (endpoint: WorkloadEndpoint) => boolean;

function selectionsOf(node: string, view: Pick<ClusterView, 'list'>): readonly Selection[] {
  const labels = view.list('Node').find(({ metadata }) => metadata.name === node)?.metadata.labels;
  const self: PeeringNode = { name: node, labels: labels ?? {} };
  return view.list('BGPPeer').flatMap((peer) => {
    const selects = workloadPeersOf(peer);
    return selects !== undefined && isPeerOf(self, peer) ? [selects] : [];
  });
}

function familiesOf({ spec }: WorkloadEndpoint): ReadonlySet<Family> {
  return new Set((spec.ipNetworks ?? []).map((network) => parsePrefix(network).family));
}
