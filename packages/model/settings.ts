// Configuration in force on a node: its own resource "node.<name>" field by field over "default".
import { completeBgpConfiguration } from './kinds/bgp_configuration.ts';
import type { BGPConfiguration, FelixConfiguration } from './resources.ts';

type Named<Spec> = { readonly metadata: { readonly name: string }; readonly spec: Spec };

/** BGP settings of a node with the cluster's defaults; also right when there is no configuration. */
export function bgpConfigurationFor(
  node: string,
  configurations: Iterable<BGPConfiguration>,
): BGPConfiguration['spec'] & typeof BGP_DEFAULTS {
  return { ...BGP_DEFAULTS, ...overlay(node, configurations) } as BGPConfiguration['spec'] &
    typeof BGP_DEFAULTS;
}

/** Felix settings of a node; what is absent is for the reader to default. */
export function felixConfigurationFor(
  node: string,
  configurations: Iterable<FelixConfiguration>,
): FelixConfiguration['spec'] {
  return overlay(node, configurations);
}

const BGP_DEFAULTS = completeBgpConfiguration({}, { name: 'default' }) as {
  readonly asNumber: number;
  readonly nodeToNodeMeshEnabled: boolean;
  readonly listenPort: number;
};

function overlay<Spec extends object>(node: string, resources: Iterable<Named<Spec>>): Spec {
  const all = [...resources];
  const specOf = (name: string) => all.find(({ metadata }) => metadata.name === name)?.spec ?? {};
  return { ...specOf('default'), ...specOf(`node.${node}`) } as Spec;
}
