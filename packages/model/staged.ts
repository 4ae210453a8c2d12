// What becomes of a staged policy when it is enforced.
import { convertDocument } from './convert/convert.ts';
import { NETWORK_POLICY_PREFIX } from './convert/network_policy.ts';
import type { ResourceKey } from './kinds.ts';
import { parseResource } from './parse.ts';
import { API_VERSION } from './resource.ts';
import type { AnyResource, ResourceOf } from './resources.ts';

export const STAGED_KINDS = [
  'StagedNetworkPolicy',
  'StagedGlobalNetworkPolicy',
  'StagedKubernetesNetworkPolicy',
] as const;

export type StagedPolicy = ResourceOf<(typeof STAGED_KINDS)[number]>;

/** Nothing: it only learns, or is to be ignored. */
export type Enforcement =
  | { readonly kind: 'put'; readonly resource: AnyResource }
  | { readonly kind: 'removed'; readonly key: ResourceKey }
  | { readonly kind: 'nothing' };

/** Throws ValidationError when the policy could not be written as it stands. */
export function enforcementOf(staged: StagedPolicy): Enforcement {
  const { stagedAction, ...spec } = staged.spec;
  const { name, namespace = '' } = staged.metadata;
  const isKubernetes = staged.kind === 'StagedKubernetesNetworkPolicy';
  const isGlobal = staged.kind === 'StagedGlobalNetworkPolicy';
  const key: ResourceKey = {
    kind: isGlobal ? 'GlobalNetworkPolicy' : 'NetworkPolicy',
    namespace,
    name: isKubernetes ? NETWORK_POLICY_PREFIX + name : name,
  };
  if (stagedAction === 'Delete') return { kind: 'removed', key };
  if (stagedAction !== 'Set') return { kind: 'nothing' };
  const metadata = { name, ...(isGlobal ? {} : { namespace }) };
  const resource = isKubernetes
    ? convertDocument({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec })
    : parseResource({ apiVersion: API_VERSION, kind: key.kind, metadata, spec });
  return { kind: 'put', resource };
}
