// Edge of nodes' own addresses: requests are checked, outcomes become wire answers.
import { formatAddress } from '@calico/ip';
import {
  type AdoptAddressesRequest,
  type NodeAddressService,
  Tunnel as WireTunnel,
} from '@calico/proto/ipam/v1/node_addresses';
import type { ServiceHandlers } from '@calico/rpc';
import { type Adoption, LEASE_MS } from '../core/programs/lease.ts';
import { TUNNELS, type Tunnel } from '../core/programs/tunnel_address.ts';
import type { NodeAddressBook } from './node_address_book.ts';
import { addressOf, atMost, nodeName, ownerOf, workloadOf, wrong } from './requests.ts';
import { answer } from './rpc_errors.ts';

/** Both families of a workload, and a few more. */
const MAX_ADOPTED = 8;
const MAX_RETURNED = 100;

export function createNodeAddressHandlers(
  book: NodeAddressBook,
): ServiceHandlers<typeof NodeAddressService> {
  return {
    assignTunnelAddress: ({ node, tunnel }, { signal }) =>
      answer(() => book.assignTunnel(nodeName('node', node), tunnelOf(tunnel), signal)),
    releaseTunnelAddress: ({ node, tunnel }, { signal }) =>
      answer(async () => ({
        released: await book.releaseTunnel(nodeName('node', node), tunnelOf(tunnel), signal),
      })),
    leaseAddresses: ({ node, ipv4, ipv6 }, { signal }) =>
      answer(async () => {
        const name = nodeName('node', node);
        if (!ipv4 && !ipv6) throw wrong('ipv4, ipv6', 'false', 'at least one of them true');
        const families = [...(ipv4 ? [4 as const] : []), ...(ipv6 ? [6 as const] : [])];
        const { addresses, count } = await book.lease(name, families, signal);
        return { addresses: [...addresses], count, leaseSeconds: LEASE_MS / 1000 };
      }),
    adoptAddresses: (request, { signal }) =>
      answer(async () => {
        await book.adopt(adoptionOf(request), signal);
        return {};
      }),
    returnAddresses: ({ node, addresses, used }, { signal }) =>
      answer(async () => {
        const name = nodeName('node', node);
        atMost('addresses', addresses.length, MAX_RETURNED);
        const texts = addresses.map((text, index) =>
          formatAddress(addressOf(`addresses[${index}]`, text)),
        );
        const some = texts.length === 0 ? undefined : new Set(texts);
        return { returned: await book.returnLeased(name, some, used, signal) };
      }),
  };
}

const TUNNEL_BY_NUMBER: Readonly<Record<WireTunnel, Tunnel | undefined>> = {
  [WireTunnel.UNSPECIFIED]: undefined,
  [WireTunnel.IPIP]: TUNNELS.ipip,
  [WireTunnel.VXLAN]: TUNNELS.vxlan,
  [WireTunnel.VXLAN_V6]: TUNNELS.vxlanV6,
  [WireTunnel.WIREGUARD]: TUNNELS.wireguard,
  [WireTunnel.WIREGUARD_V6]: TUNNELS.wireguardV6,
};

function tunnelOf(number: WireTunnel): Tunnel {
  const tunnel = TUNNEL_BY_NUMBER[number];
  if (tunnel !== undefined) return tunnel;
  const names = Object.keys(WireTunnel).slice(1).join(', ');
  throw wrong('tunnel', String(number), `one of ${names}`);
}

function adoptionOf(request: AdoptAddressesRequest): Adoption {
  const node = nodeName('node', request.node);
  const owner = ownerOf(request);
  if (request.addresses.length === 0) throw wrong('addresses', '0 entries', 'at least 1');
  atMost('addresses', request.addresses.length, MAX_ADOPTED);
  const addresses = request.addresses.map(({ address, sequenceNumber }, index) => ({
    address: addressOf(`addresses[${index}].address`, address),
    sequenceNumber,
  }));
  return { node, owner, workload: workloadOf(request.owner), addresses };
}
