// Where a service has endpoints that are ready, as bits.
import type { Family } from '@calico/ip';
import type { KubernetesEndpointSlice } from '@calico/model';

export type Readiness = number;

const ANYWHERE = { 4: 1, 6: 2 } as const;
const HERE = { 4: 4, 6: 8 } as const;

/**
 * An endpoint of which nothing is known counts as ready, as Kubernetes has it.
 * @param slices of one service
 * @param node as Kubernetes calls it
 */
export function readinessOf(slices: Iterable<KubernetesEndpointSlice>, node: string): Readiness {
  let found = 0;
  for (const { spec } of slices) {
    const family = spec.addressType === 'IPv6' ? 6 : 4;
    if (isReadyHere(found, family)) continue;
    for (const { addresses, conditions, nodeName } of spec.endpoints ?? []) {
      if (conditions?.ready === false || addresses.length === 0) continue;
      found |= ANYWHERE[family];
      if (nodeName !== node) continue;
      found |= HERE[family];
      break;
    }
  }
  return found;
}

export function isReady(readiness: Readiness, family: Family): boolean {
  return (readiness & ANYWHERE[family]) !== 0;
}

export function isReadyHere(readiness: Readiness, family: Family): boolean {
  return (readiness & HERE[family]) !== 0;
}
