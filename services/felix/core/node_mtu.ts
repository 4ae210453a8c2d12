// The MTU that any pod of this node can have, whichever pool its address is from.
import { felixConfigurationFor } from '@calico/model';
import type { ClusterView } from '../ports.ts';
import { tunnelSettings, workloadMtu } from './tunnel_settings.ts';

/** @param underlay MTU of the node's uplink */
export function nodeMtu(node: string, view: ClusterView, underlay: number): number {
  const settings = tunnelSettings(felixConfigurationFor(node, view.list('FelixConfiguration')));
  const mtus = view.list('IPPool').map((pool) => workloadMtu(pool, settings, underlay));
  return Math.min(underlay, ...mtus);
}
