// Which BGPPeers are a node's, which of its workloads they make peers, and at which address these find the node: the bgp
// service lets them in there, felix puts the address on their interfaces.
import { type Address, type Family, parseAddress } from '@calico/ip';
import { parseSelector } from '@calico/selector';
import type { BGPConfiguration, BGPPeer, WorkloadEndpoint } from './resources.ts';

/** A node as BGPPeers name and select it. */
export type PeeringNode = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
};

/** Whether the BGPPeer is this node's: named, selected, or neither asked for. @throws SelectorError */
export function isPeerOf({ name, labels }: PeeringNode, { spec }: BGPPeer): boolean {
  if (given(spec.node)) return spec.node === name;
  return given(spec.nodeSelector) ? parseSelector(spec.nodeSelector).matches(labels) : true;
}

/** Tells the workloads that are peers of their node; undefined: the BGPPeer is about others. @throws SelectorError */
export function workloadPeersOf({
  spec,
}: BGPPeer): ((workload: WorkloadEndpoint) => boolean) | undefined {
  if (!given(spec.localWorkloadSelector)) return undefined;
  const selector = parseSelector(spec.localWorkloadSelector);
  return ({ metadata }) => selector.matches(metadata.labels ?? {});
}

/** The node's own address towards workloads that are peers; undefined: they dial the node's. @throws IpError */
export function workloadPeeringAddresses({
  localWorkloadPeeringIPV4,
  localWorkloadPeeringIPV6,
}: BGPConfiguration['spec']): Readonly<Record<Family, Address | undefined>> {
  return { 4: addressIn(localWorkloadPeeringIPV4), 6: addressIn(localWorkloadPeeringIPV6) };
}

function addressIn(text: string | undefined): Address | undefined {
  return given(text) ? parseAddress(text) : undefined;
}

/** Upstream writes absent texts as "". */
function given(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}
