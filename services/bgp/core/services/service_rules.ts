// Whether this node announces an address of a service by itself. Ranges are announced as a whole, see
// core/cluster/derive_routes.ts; so an address inside of one needs a reason.
import { addressBits, type Family, type Prefix, prefixContains } from '@calico/ip';
import { isReady, isReadyHere, type Readiness } from './readiness.ts';
import type { AddressSort, ServiceAddress, ServiceView } from './service_view.ts';

/** What the configuration and the node say, whatever services there are. */
export type ServiceRules = {
  /** This node, as Kubernetes calls it. */
  readonly node: string;
  /** The node is labelled to take no traffic for services. */
  readonly isExcluded: boolean;
  readonly ranges: Readonly<Record<AddressSort, readonly Prefix[]>>;
  /** Ranges of load balancers are announced as a whole. */
  readonly aggregatesLoadBalancers: boolean;
  /** Of announced addresses. */
  readonly localPreference: Readonly<Record<Family, number>>;
};

const REASONS = {
  'endpoint-here': { isAnnounced: true, text: 'a ready endpoint is on this node' },
  listed: { isAnnounced: true, text: 'the address itself is listed, so every node announces it' },
  'not-aggregated': {
    isAnnounced: true,
    text: 'serviceLoadBalancerAggregation is "Disabled", so every node announces it',
  },
  excluded: {
    isAnnounced: false,
    text: 'this node has the label "node.kubernetes.io/exclude-from-external-load-balancers"',
  },
  outside: { isAnnounced: false, text: 'it is in none of the ranges for such addresses' },
  'no-endpoint-here': {
    isAnnounced: false,
    text: 'externalTrafficPolicy is "Local", and no ready endpoint is on this node',
  },
  'no-endpoint': { isAnnounced: false, text: 'no endpoint is ready' },
  'in-range': {
    isAnnounced: false,
    text: 'every node may deliver to it, so the range that it is in is announced as a whole',
  },
} as const;

export type ServiceReason = keyof typeof REASONS;

export function judgeAddress(
  { sort, prefix }: ServiceAddress,
  { isLocal }: ServiceView,
  readiness: Readiness,
  rules: ServiceRules,
): ServiceReason {
  if (rules.isExcluded) return 'excluded';
  const ranges = rules.ranges[sort].filter((range) => prefixContains(range, prefix));
  if (ranges.length === 0) return 'outside';
  if (isLocal) return isReadyHere(readiness, prefix.family) ? 'endpoint-here' : 'no-endpoint-here';
  if (ranges.some(isSingle)) return 'listed';
  if (sort !== 'load balancer' || rules.aggregatesLoadBalancers) return 'in-range';
  return isReady(readiness, prefix.family) ? 'not-aggregated' : 'no-endpoint';
}

export function isAnnounced(reason: ServiceReason): boolean {
  return REASONS[reason].isAnnounced;
}

/** For people. */
export function reasonText(reason: ServiceReason): string {
  return REASONS[reason].text;
}

/** Ranges of one address are announced with the services that have it. */
export function isSingle({ family, length }: Prefix): boolean {
  return length === addressBits(family);
}
