// The devices by which the node reaches other nodes, one per IP version.
import { FAMILIES, type Family } from '@calico/ip';
import type { IPPool, Node } from '@calico/model';
import { underlayAddress } from './node_facts.ts';
import { poolPrefix, tunnelNeed, usesVxlanOver } from './pools.ts';
import { type TunnelSettings, vxlanV6Refusal } from './tunnel_settings.ts';

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

/** One sentence for each way to other nodes that is missing and that a pool needs. */
export function uplinkProblems({
  name,
  node,
  uplinks,
  pools,
  settings,
}: {
  readonly name: string;
  readonly node: Node | undefined;
  readonly uplinks: Uplinks;
  readonly pools: readonly IPPool[];
  readonly settings: TunnelSettings;
}): string[] {
  if (node === undefined) return [`node ${name} is not in the store`];
  const addresses = FAMILIES.map((family) => ({ family, text: underlayAddress(node, family) }));
  if (addresses.every(({ text }) => text === undefined)) {
    return [`node ${name} has neither spec.bgp.ipv4Address nor ipv6Address`];
  }
  return addresses.flatMap(({ family, text }) => {
    const uplink = uplinks[family];
    if (uplink !== undefined) return family === 6 ? vxlanV6Problems(uplink, pools, settings) : [];
    if (text !== undefined) {
      const isNeeded = pools.some((pool) => poolPrefix(pool).family === family);
      return isNeeded ? [`no interface has the node's address ${text}`] : [];
    }
    return pools.flatMap((pool) => {
      const need = tunnelNeed(pool);
      return need?.family === family
        ? `pool ${pool.metadata.name}: ${need.setting} needs spec.bgp.ipv${family}Address of node ${name}, which has none`
        : [];
    });
  });
}

function vxlanV6Problems(
  { mtu }: Uplink,
  pools: readonly IPPool[],
  settings: TunnelSettings,
): string[] {
  const refusal = vxlanV6Refusal(settings, mtu);
  if (refusal === undefined) return [];
  return pools
    .filter((pool) => usesVxlanOver(pool, 6))
    .map(({ metadata, spec }) => `pool ${metadata.name}: vxlanMode ${spec.vxlanMode}: ${refusal}`);
}
