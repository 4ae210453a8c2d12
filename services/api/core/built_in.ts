// Resources that every cluster has, and what about them cannot be changed.
import { API_VERSION, type ResourceKey } from '@calico/model';

const tier = (name: string, order: number, defaultAction: string): object => ({
  apiVersion: API_VERSION,
  kind: 'Tier',
  metadata: { name },
  spec: { order, defaultAction },
});

/** Documents that the service creates when they are missing. */
export function builtInDocuments(clusterGuid: string, version: string): readonly object[] {
  return [
    tier('kube-admin', 1000, 'Pass'),
    tier('default', 1_000_000, 'Deny'),
    tier('kube-baseline', 10_000_000, 'Pass'),
    {
      apiVersion: API_VERSION,
      kind: 'Profile',
      metadata: { name: STATIC_PROFILE },
      spec: { ingress: [{ action: 'Allow' }], egress: [{ action: 'Allow' }] },
    },
    {
      apiVersion: API_VERSION,
      kind: 'ClusterInformation',
      metadata: { name: 'default' },
      spec: {
        clusterGUID: clusterGuid,
        clusterType: 'typescript',
        calicoVersion: version,
        datastoreReady: true,
      },
    },
  ];
}

const STATIC_PROFILE = 'projectcalico-default-allow';
const PROTECTED_TIERS = ['default', 'kube-admin', 'kube-baseline'];

/** Why a user may not write it; undefined when he may. */
export function writeRefusal({ kind, name }: ResourceKey): string | undefined {
  if (kind === 'Profile' && name === STATIC_PROFILE) return 'it is the same in every cluster';
  return undefined;
}

/** Why a user may not delete it; undefined when he may. */
export function deleteRefusal({ kind, name }: ResourceKey): string | undefined {
  if (kind === 'Tier' && PROTECTED_TIERS.includes(name)) return 'every cluster has this tier';
  if (kind === 'ClusterInformation') return 'it identifies the cluster';
  return writeRefusal({ kind, name, namespace: '' });
}
