// The node's own addresses inside its tunnels: out of IPAM, published in the Node resource.
import { type Family, parseAddress, prefixContains } from '@calico/ip';
import { type IPPool, type Node, vxlanTunnelMac } from '@calico/model';
import { parseSelector } from '@calico/selector';
import type { AddressBook, ClusterView, NodePatch, ResourceStore } from '../ports.ts';
import { underlayAddress, VXLAN_FIELDS } from './node_facts.ts';
import { poolPrefix, usesIpip, usesVxlanOver } from './pools.ts';

export type TunnelKind = 'ipip' | 'vxlan' | 'vxlan-v6';

type Tunnel = {
  readonly kind: TunnelKind;
  /** Of the packets between nodes. */
  readonly family: Family;
  readonly uses: (pool: IPPool) => boolean;
  readonly current: (node: Node) => string | undefined;
  readonly hasMac: (node: Node) => boolean;
  readonly patch: (address: string | null, node: string) => NodePatch;
};

const TUNNELS: readonly Tunnel[] = [
  vxlanTunnel('vxlan', 4),
  vxlanTunnel('vxlan-v6', 6),
  {
    kind: 'ipip',
    family: 4,
    uses: (pool) => usesIpip(pool) && poolPrefix(pool).family === 4,
    current: (node) => node.spec.bgp?.ipv4IPIPTunnelAddr,
    hasMac: () => true,
    patch: (address) => ({ bgp: { ipv4IPIPTunnelAddr: address } }),
  },
];

function vxlanTunnel(kind: TunnelKind, family: Family): Tunnel {
  const fields = VXLAN_FIELDS[family];
  return {
    kind,
    family,
    uses: (pool) => usesVxlanOver(pool, family),
    current: (node) => node.spec[fields.address],
    hasMac: ({ metadata, spec }) => spec[fields.mac] === vxlanTunnelMac(metadata.name, family),
    patch: (address, node) => ({
      [fields.address]: address,
      [fields.mac]: address === null ? null : vxlanTunnelMac(node, family),
    }),
  };
}

export class TunnelAddresses {
  readonly #node: string;
  readonly #view: ClusterView;
  readonly #addresses: AddressBook;
  readonly #store: ResourceStore;
  readonly #canUse: (pool: IPPool) => boolean;
  readonly #report: (problems: readonly string[]) => void;
  /** Tunnels whose address IPAM has confirmed since this process started. */
  readonly #confirmed = new Map<TunnelKind, string>();

  constructor(parts: {
    readonly node: string;
    readonly view: ClusterView;
    readonly addresses: AddressBook;
    readonly store: ResourceStore;
    /** False for a pool that this kernel cannot serve. */
    readonly canUse: (pool: IPPool) => boolean;
    /** Tells people which tunnels could not get what they need; none: all is well. */
    readonly report: (problems: readonly string[]) => void;
  }) {
    this.#node = parts.node;
    this.#view = parts.view;
    this.#addresses = parts.addresses;
    this.#store = parts.store;
    this.#canUse = parts.canUse;
    this.#report = parts.report;
  }

  /** Brings IPAM and the Node resource to what the pools ask for. Throws, to be tried again, when any tunnel failed. */
  async ensure(): Promise<void> {
    if (!this.#view.inSync) return;
    const node = this.#view.list('Node').find(({ metadata }) => metadata.name === this.#node);
    if (node === undefined) return;
    const problems: string[] = [];
    for (const tunnel of TUNNELS) {
      try {
        await this.#ensureOne(tunnel, node);
      } catch (cause) {
        const text = cause instanceof Error ? cause.message : String(cause);
        problems.push(`cannot settle the address of tunnel "${tunnel.kind}": ${text}`);
      }
    }
    this.#report(problems);
    if (problems.length > 0) throw new Error(problems.join('; '));
  }

  async #ensureOne(tunnel: Tunnel, node: Node): Promise<void> {
    const { kind, family } = tunnel;
    // Where the node has no address between nodes there is no device that could have one.
    const isPossible = underlayAddress(node, family) !== undefined;
    const pools = isPossible ? this.#view.list('IPPool').filter(tunnel.uses) : [];
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
    if (address !== current || !tunnel.hasMac(node)) {
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

function inAny(pools: readonly IPPool[], address: string): boolean {
  return pools.some((pool) => prefixContains(poolPrefix(pool), parseAddress(address)));
}
