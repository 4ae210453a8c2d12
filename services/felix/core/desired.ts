// The whole of what felix wants in the kernel, from what is known.
import { felixConfigurationFor, type Kind, type WorkloadEndpoint } from '@calico/model';
import type { ClusterView } from '../ports.ts';
import { type Dataplane, EMPTY_DATAPLANE } from './dataplane.ts';
import { computeOverlay } from './overlay.ts';
import { peeringAddresses } from './peering_addresses.ts';
import type { PodRoutes } from './pod_routes.ts';
import type { MissingFeatures } from './pools.ts';
import { tunnelSettings } from './tunnel_settings.ts';
import type { Uplinks } from './uplinks.ts';

/** What desiredDataplane() looks at, besides local endpoints. */
export const DATAPLANE_KINDS: ReadonlySet<Kind> = new Set<Kind>([
  'FelixConfiguration',
  'IPPool',
  'Node',
  'IPAMBlock',
  'BGPConfiguration',
  'BGPPeer',
]);

export type DesiredInputs = {
  readonly node: string;
  readonly view: ClusterView;
  /** Endpoints whose host end felix looks after. */
  readonly local: readonly WorkloadEndpoint[];
  readonly podRoutes: PodRoutes;
  readonly uplinks: Uplinks;
  readonly missing: MissingFeatures;
};

/** Before the cluster is known only the node's own pods are wanted; nothing may be pruned then. */
export function desiredDataplane(inputs: DesiredInputs): Dataplane {
  const { node, view, local, podRoutes, uplinks, missing } = inputs;
  const configuration = felixConfigurationFor(node, view.list('FelixConfiguration'));
  const pods = podRoutes.compute(local, configuration);
  if (!view.inSync) return { ...EMPTY_DATAPLANE, ...pods };
  const overlay = computeOverlay({
    node,
    uplinks,
    missing,
    settings: tunnelSettings(configuration),
    pools: view.list('IPPool'),
    nodes: view.list('Node'),
    blocks: view.list('IPAMBlock'),
  });
  return {
    tunnels: overlay.tunnels,
    neighbours: overlay.neighbours,
    fdb: overlay.fdb,
    podDevices: pods.podDevices,
    podAddresses: peeringAddresses(node, view, local),
    // A local pod wins over a block elsewhere that claims the same address.
    routes: overlay.routes.size === 0 ? pods.routes : new Map([...overlay.routes, ...pods.routes]),
  };
}
