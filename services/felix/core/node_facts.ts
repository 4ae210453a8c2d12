// What the overlay needs to know of a node, read out of its resource.
import { type Address, type Prefix, parseAddress, parseInterfaceAddress } from '@calico/ip';
import { type Node, vxlanTunnelMac } from '@calico/model';

export type NodeFacts = {
  readonly name: string;
  /** IPv4 address on the underlay. */
  readonly address: Address;
  /** The subnet that the node says it is in. */
  readonly prefix: Prefix;
  /** Address of vxlan.calico; undefined until assigned. */
  readonly vtep: Address | undefined;
  readonly vtepMac: string;
};

/** Undefined for a node without an IPv4 address. What another wrote and cannot be read counts as absent. */
export function nodeFacts(node: Node): NodeFacts | undefined {
  const text = node.spec.bgp?.ipv4Address;
  if (text === undefined || text === '') return undefined;
  const { name } = node.metadata;
  try {
    const { address, prefix } = parseInterfaceAddress(text.includes('/') ? text : `${text}/32`);
    return {
      name,
      address,
      prefix,
      vtep: optionalAddress(node.spec.ipv4VXLANTunnelAddr),
      vtepMac: node.spec.vxlanTunnelMACAddr?.toLowerCase() || vxlanTunnelMac(name),
    };
  } catch {
    return undefined;
  }
}

export function optionalAddress(text: string | undefined): Address | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return parseAddress(text.split('/')[0] ?? '');
  } catch {
    return undefined;
  }
}
