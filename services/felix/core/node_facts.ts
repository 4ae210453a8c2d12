// What the overlay needs to know of a node, read out of its resource.
import {
  type Address,
  addressBits,
  type Family,
  type Prefix,
  parseAddress,
  parseInterfaceAddress,
} from '@calico/ip';
import { type Node, vxlanTunnelMac } from '@calico/model';

export type NodeFacts = {
  readonly name: string;
  /** On the underlay. */
  readonly address: Address;
  /** The subnet that the node says it is in. */
  readonly prefix: Prefix;
  /** Address of its VXLAN device; undefined until assigned. */
  readonly vtep: Address | undefined;
  readonly vtepMac: string;
};

/** Where a Node's spec tells of its VXLAN device of each IP version. */
export const VXLAN_FIELDS = {
  4: { address: 'ipv4VXLANTunnelAddr', mac: 'vxlanTunnelMACAddr' },
  6: { address: 'ipv6VXLANTunnelAddr', mac: 'vxlanTunnelMACAddrV6' },
} as const;

/** "192.168.80.100/24"; undefined for a node without one. */
export function underlayAddress({ spec }: Node, family: Family): string | undefined {
  return (family === 4 ? spec.bgp?.ipv4Address : spec.bgp?.ipv6Address) || undefined;
}

/** Undefined for a node without an address of this IP version. What another wrote and cannot be read counts as absent. */
export function nodeFacts(node: Node, family: Family): NodeFacts | undefined {
  const text = underlayAddress(node, family);
  if (text === undefined) return undefined;
  const { name } = node.metadata;
  const fields = VXLAN_FIELDS[family];
  try {
    const { address, prefix } = parseInterfaceAddress(
      text.includes('/') ? text : `${text}/${addressBits(family)}`,
    );
    return {
      name,
      address,
      prefix,
      vtep: optionalAddress(node.spec[fields.address]),
      vtepMac: node.spec[fields.mac]?.toLowerCase() || vxlanTunnelMac(name, family),
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
