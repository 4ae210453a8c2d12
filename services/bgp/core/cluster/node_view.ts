// A Node resource as BGP sees it.
import { parseRouterId } from '@calico/bgp-wire';
import { type Address, type Family, type Prefix, parseInterfaceAddress } from '@calico/ip';
import { bgpConfigurationFor, type Node } from '@calico/model';
import type { ClusterResources } from './resources.ts';

export type NodeView = {
  readonly name: string;
  /** As EndpointSlices call it. */
  readonly kubernetesName: string;
  readonly asn: number;
  readonly listenPort: number;
  readonly clusterId: number | undefined;
  readonly address: Readonly<Record<Family, Address | undefined>>;
  readonly subnet: Readonly<Record<Family, Prefix | undefined>>;
  readonly labels: Readonly<Record<string, string>>;
};

/** Throws IpError or RangeError for a node that another writer stored with broken addresses. */
export function viewNode(node: Node, resources: ClusterResources): NodeView {
  const { name, labels = {} } = node.metadata;
  const configuration = bgpConfigurationFor(name, resources.bgpConfigurations);
  const { asNumber, ipv4Address, ipv6Address, routeReflectorClusterID } = node.spec.bgp ?? {};
  const v4 = given(ipv4Address) ? parseInterfaceAddress(ipv4Address) : undefined;
  const v6 = given(ipv6Address) ? parseInterfaceAddress(ipv6Address) : undefined;
  const kubernetes = node.spec.orchRefs?.find(
    ({ orchestrator }) => orchestrator === 'k8s',
  )?.nodeName;
  return {
    name,
    kubernetesName: given(kubernetes) ? kubernetes : name,
    labels,
    asn: asNumber ?? configuration.asNumber,
    listenPort: configuration.listenPort,
    clusterId: given(routeReflectorClusterID) ? parseRouterId(routeReflectorClusterID) : undefined,
    address: { 4: v4?.address, 6: v6?.address },
    subnet: { 4: v4?.prefix, 6: v6?.prefix },
  };
}

/** Upstream writes absent texts as "". */
export function given(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}
