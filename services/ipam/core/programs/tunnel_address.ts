// The one address of a node's tunnel device, and the pools it may be of.
import { type Family, parseAddress } from '@calico/ip';
import { IpamError } from '../ipam_error.ts';
import type { Known, Program } from '../program.ts';
import { poolOf } from '../records/ip_pool.ts';
import type { AssignedAddress } from './auto_assign.ts';
import { eligiblePools, POOL_PREFIXES, type StoredPool, selectionKeys } from './context.ts';
import { addressesOfHandle } from './lookup.ts';

export type Tunnel = {
  /** "ipip", as in "ipip-tunnel-addr-<node>". */
  readonly name: string;
  /** Attribute of the address. */
  readonly type: string;
  readonly family: Family;
  /** Of the pools; undefined: any, the tunnel is between nodes. */
  readonly encapsulation: 'ipip' | 'vxlan' | undefined;
};

export const TUNNELS = {
  ipip: { name: 'ipip', type: 'ipipTunnelAddress', family: 4, encapsulation: 'ipip' },
  vxlan: { name: 'vxlan', type: 'vxlanTunnelAddress', family: 4, encapsulation: 'vxlan' },
  vxlanV6: { name: 'vxlan-v6', type: 'vxlanV6TunnelAddress', family: 6, encapsulation: 'vxlan' },
  wireguard: {
    name: 'wireguard',
    type: 'wireguardTunnelAddress',
    family: 4,
    encapsulation: undefined,
  },
  wireguardV6: {
    name: 'wireguard-v6',
    type: 'wireguardV6TunnelAddress',
    family: 6,
    encapsulation: undefined,
  },
} as const satisfies Record<string, Tunnel>;

export function tunnelHandle({ name }: Tunnel, node: string): string {
  return `${name}-tunnel-addr-${node}`;
}

export type TunnelState = {
  /** Names of the pools that an address may be of; empty: there is none. */
  readonly pools: readonly string[];
  /** What the node holds, if it is one address of these pools. */
  readonly valid: AssignedAddress | undefined;
  readonly holdsAny: boolean;
};

export function* tunnelState(node: string, tunnel: Tunnel): Program<TunnelState> {
  const known = yield { keys: selectionKeys({ node, namespace: '' }), prefixes: POOL_PREFIXES };
  const { value: held } = yield* addressesOfHandle(tunnelHandle(tunnel, node));
  const pools = poolsFor(node, tunnel.family, known).filter(
    ({ encapsulation }) =>
      tunnel.encapsulation === undefined || encapsulation === tunnel.encapsulation,
  );
  const [only, ...others] = held;
  const isValid =
    only !== undefined &&
    others.length === 0 &&
    poolOf(pools, parseAddress(only.address)) !== undefined;
  return {
    value: {
      pools: pools.map(({ name }) => name),
      valid: isValid ? only : undefined,
      holdsAny: held.length > 0,
    },
  };
}

function poolsFor(node: string, family: Family, known: Known): readonly StoredPool[] {
  try {
    return eligiblePools({ node, namespace: '', use: 'Tunnel', family, explicit: [] }, known);
  } catch (error) {
    if (error instanceof IpamError && error.reason === 'not-found') return [];
    throw error;
  }
}
