// The node's own addresses inside its tunnels: out of IPAM, published in the Node resource.
import { parseAddress, prefixContains } from '@calico/ip';
import { type IPPool, type Node, vxlanTunnelMac } from '@calico/model';
import { parseSelector } from '@calico/selector';
import type { AddressBook, ClusterView, NodePatch, ResourceStore } from '../ports.ts';
import { poolPrefix, usesIpip, usesVxlan } from './pools.ts';

export type TunnelKind = 'ipip' | 'vxlan';

type Tunnel = {
  readonly kind: TunnelKind;
  readonly uses: (pool: IPPool) => boolean;
  readonly current: (node: Node) => string | undefined;
  readonly patch: (address: string | null, node: string) => NodePatch;
};

const TUNNELS: readonly Tunnel[] = [
  {
    kind: 'vxlan',
    uses: usesVxlan,
    current: (node) => node.spec.ipv4VXLANTunnelAddr,
    patch: (address, node) => ({
      vxlanTunnelAddress: address,
      vxlanTunnelMac: address === null ? null : vxlanTunnelMac(node),
    }),
  },
  {
    kind: 'ipip',
    uses: usesIpip,
    current: (node) => node.spec.bgp?.ipv4IPIPTunnelAddr,
    patch: (address) => ({ ipipTunnelAddress: address }),
  },
];

export class TunnelAddresses {
  readonly #node: string;
  readonly #view: ClusterView;
  readonly #addresses: AddressBook;
  readonly #store: ResourceStore;
  readonly #canUse: (pool: IPPool) => boolean;
  /** Tunnels whose address IPAM has confirmed since this process started. */
  readonly #confirmed = new Map<TunnelKind, string>();

  constructor(parts: {
    readonly node: string;
    readonly view: ClusterView;
    readonly addresses: AddressBook;
    readonly store: ResourceStore;
    /** False for a pool that this kernel cannot serve. */
    readonly canUse: (pool: IPPool) => boolean;
  }) {
    this.#node = parts.node;
    this.#view = parts.view;
    this.#addresses = parts.addresses;
    this.#store = parts.store;
    this.#canUse = parts.canUse;
  }

  /** Brings IPAM and the Node resource to what the pools ask for. Throws `unavailable` to be tried again. */
  async ensure(): Promise<void> {
    if (!this.#view.inSync) return;
    const node = this.#view.list('Node').find(({ metadata }) => metadata.name === this.#node);
    if (node === undefined) return;
    for (const tunnel of TUNNELS) await this.#ensureOne(tunnel, node);
  }

  async #ensureOne(tunnel: Tunnel, node: Node): Promise<void> {
    const pools = this.#view.list('IPPool').filter((pool) => isIpv4(pool) && tunnel.uses(pool));
    const { kind } = tunnel;
    const current = tunnel.current(node) || undefined;
    if (pools.length === 0) {
      if (current === undefined) return;
      await this.#addresses.releaseTunnel(kind);
      await this.#store.patchNode(this.#node, tunnel.patch(null, this.#node));
      this.#confirmed.delete(kind);
      return;
    }
    const usable = pools.filter((pool) => this.#isUsable(pool, node));
    // A pool that is disabled or no longer selects this node still serves what it has given.
    if (usable.length === 0) return;
    const isConfirmed = current !== undefined && this.#confirmed.get(kind) === current;
    if (isConfirmed && inAny(usable, current)) return;
    const address = await this.#addresses.assignTunnel(kind);
    if (address !== current || !hasMac(tunnel, node)) {
      await this.#store.patchNode(this.#node, tunnel.patch(address, this.#node));
    }
    this.#confirmed.set(kind, address);
  }

  #isUsable(pool: IPPool, node: Node): boolean {
    const { disabled, nodeSelector, allowedUses } = pool.spec;
    return (
      !disabled &&
      allowedUses.includes('Tunnel') &&
      this.#canUse(pool) &&
      selects(nodeSelector, node)
    );
  }
}

/** A selector that another writer stored and that cannot be read selects nothing. */
function selects(selector: string, node: Node): boolean {
  try {
    return parseSelector(selector).matches(node.metadata.labels ?? {});
  } catch {
    return false;
  }
}

function isIpv4(pool: IPPool): boolean {
  return poolPrefix(pool).family === 4;
}

function inAny(pools: readonly IPPool[], address: string): boolean {
  return pools.some((pool) => prefixContains(poolPrefix(pool), parseAddress(address)));
}

function hasMac(tunnel: Tunnel, node: Node): boolean {
  const { vxlanTunnelMac: mac } = tunnel.patch('', node.metadata.name);
  return mac === undefined || mac === node.spec.vxlanTunnelMACAddr;
}
