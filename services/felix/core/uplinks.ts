// The devices by which the node reaches other nodes, one per IP version.
import { FAMILIES, type Family } from '@calico/ip';
import type { IPPool, Node } from '@calico/model';
import { underlayAddress } from './node_facts.ts';
import { tunnelNeed } from './pools.ts';

export type Uplink = {
  /** Device that holds the node's address. */
  readonly device: string;
  readonly mtu: number;
};

export type Uplinks = Readonly<Record<Family, Uplink | undefined>>;

export const NO_UPLINKS: Uplinks = { 4: undefined, 6: undefined };

/** @param uplinkOf the device that holds an address */
export function findUplinks(
  node: Node | undefined,
  uplinkOf: (address: string) => Uplink | undefined,
): Uplinks {
  const find = (family: Family): Uplink | undefined => {
    const address = node && underlayAddress(node, family)?.split('/')[0];
    return address === undefined ? undefined : uplinkOf(address);
  };
  return { 4: find(4), 6: find(6) };
}

/** What every uplink carries; undefined when none is known. */
export function underlayMtu(uplinks: Uplinks): number | undefined {
  const mtus = FAMILIES.flatMap((family) => uplinks[family]?.mtu ?? []);
  return mtus.length === 0 ? undefined : Math.min(...mtus);
}

/** One sentence for each way to other nodes that is missing. */
export function uplinkProblems(
  name: string,
  node: Node | undefined,
  uplinks: Uplinks,
  pools: readonly IPPool[],
): string[] {
  if (node === undefined) return [`node ${name} is not in the store`];
  const addresses = FAMILIES.map((family) => ({ family, text: underlayAddress(node, family) }));
  if (addresses.every(({ text }) => text === undefined)) {
    return [`node ${name} has no spec.bgp.ipv4Address`];
  }
  return addresses.flatMap(({ family, text }) => {
    if (uplinks[family] !== undefined) return [];
    if (text !== undefined) return [`no interface has the node's address ${text}`];
    return pools.flatMap((pool) => {
      const need = tunnelNeed(pool);
      return need?.family === family
        ? `pool ${pool.metadata.name}: ${need.setting} needs spec.bgp.ipv${family}Address of node ${name}, which has none`
        : [];
    });
  });
}
