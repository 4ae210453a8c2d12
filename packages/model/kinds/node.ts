import * as z from 'zod';
import type { SchemaStyle } from '../schema_style.ts';
import { address, cidr, interfaceAddress, macAddress, maybeAsNumber, ofFamily } from './scalars.ts';

const v4 = ofFamily(4, address);
const v6 = ofFamily(6, address);

export function nodeSpec(style: SchemaStyle) {
  return style.object({
    bgp: style
      .object({
        asNumber: maybeAsNumber(style),
        /** With the length of the node's network: "192.168.80.100/24". */
        ipv4Address: ofFamily(4, interfaceAddress).optional(),
        ipv6Address: ofFamily(6, interfaceAddress).optional(),
        ipv4IPIPTunnelAddr: v4.optional(),
        /** Dotted quad; makes the node a route reflector. */
        routeReflectorClusterID: v4.optional(),
      })
      .optional(),
    ipv4VXLANTunnelAddr: v4.optional(),
    ipv6VXLANTunnelAddr: v6.optional(),
    vxlanTunnelMACAddr: macAddress.optional(),
    vxlanTunnelMACAddrV6: macAddress.optional(),
    orchRefs: z
      .array(style.object({ orchestrator: z.string(), nodeName: z.string().optional() }))
      .optional(),
    wireguard: style
      .object({ interfaceIPv4Address: v4.optional(), interfaceIPv6Address: v6.optional() })
      .optional(),
    addresses: z
      .array(
        style.object({
          address: interfaceAddress,
          type: z.enum(['CalicoNodeIP', 'InternalIP', 'ExternalIP']).optional(),
        }),
      )
      .optional(),
  });
}

export const nodeStatus = z.looseObject({
  wireguardPublicKey: z.string().optional(),
  wireguardPublicKeyV6: z.string().optional(),
  podCIDRs: z.array(cidr).optional(),
});
