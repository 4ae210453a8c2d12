// Where a service has endpoints that are ready, as bits: slices of one service are joined by "or".
import type { Family } from '@calico/ip';
import type { KubernetesEndpointSlice } from '@calico/model';

export type Readiness = number;

export const NO_ENDPOINTS: Readiness = 0;
const ANYWHERE = { 4: 1, 6: 2 } as const;
const HERE = { 4: 4, 6: 8 } as const;

/** An endpoint of which nothing is known counts as ready, as Kubernetes has it. */
export function readinessOf({ spec }: KubernetesEndpointSlice, node: string): Readiness {
  const family = spec.addressType === 'IPv6' ? 6 : 4;
  let found = NO_ENDPOINTS;
  for (const { addresses, conditions, nodeName } of spec.endpoints ?? []) {
    if (conditions?.ready === false || addresses.length === 0) continue;
    if (nodeName === node) return ANYWHERE[family] | HERE[family];
    found = ANYWHERE[family];
  }
  return found;
}

export function isReady(readiness: Readiness, family: Family): boolean {
  return (readiness & ANYWHERE[family]) !== 0;
}

export function isReadyHere(readiness: Readiness, family: Family): boolean {
  return (readiness & HERE[family]) !== 0;
}
