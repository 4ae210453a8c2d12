// The cluster as it would be after a change of resources.
import type { AnyResource, Kind } from '@calico/model';
import type { PolicyInputs } from '../../../ports.ts';

export type ResourceChange = {
  readonly put: readonly AnyResource[];
  readonly removed: readonly { kind: string; namespace: string; name: string }[];
};

type List = Exclude<
  keyof PolicyInputs,
  'node' | 'inSync' | 'localEndpoints' | 'felixConfiguration'
>;

const LISTS: Readonly<Partial<Record<Kind, List>>> = {
  NetworkPolicy: 'networkPolicies',
  GlobalNetworkPolicy: 'globalNetworkPolicies',
  Tier: 'tiers',
  Profile: 'profiles',
  NetworkSet: 'networkSets',
  GlobalNetworkSet: 'globalNetworkSets',
  WorkloadEndpoint: 'workloadEndpoints',
  HostEndpoint: 'hostEndpoints',
  KubernetesEndpointSlice: 'endpointSlices',
};

/** Kinds whose change can be looked at before it is made. */
export const PREVIEWED_KINDS: readonly string[] = Object.keys(LISTS);

/** What changes nothing for policy is passed over. */
export function changedWorld(inputs: PolicyInputs, { put, removed }: ResourceChange): PolicyInputs {
  const result: Record<string, unknown> = { ...inputs };
  const edit = (kind: string, namespace: string, name: string, now: AnyResource[]): void => {
    const list = LISTS[kind as Kind];
    if (list === undefined) return;
    const others = ((result[list] ?? []) as readonly AnyResource[]).filter(
      ({ metadata }) => metadata.name !== name || (metadata.namespace ?? '') !== namespace,
    );
    result[list] = [...others, ...now];
  };
  for (const { kind, namespace, name } of removed) edit(kind, namespace, name, []);
  for (const one of put) {
    edit(one.kind, one.metadata.namespace ?? '', one.metadata.name, [one]);
  }
  const changed = result as unknown as PolicyInputs;
  return {
    ...changed,
    localEndpoints: changed.workloadEndpoints.filter(({ spec }) => spec.node === inputs.node),
  };
}
