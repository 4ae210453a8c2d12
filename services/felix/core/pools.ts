// Which pools need which tunnel, and which of them this kernel cannot serve.
import { type Family, type Prefix, parsePrefix } from '@calico/ip';
import type { IPPool } from '@calico/model';

/** A kernel feature that a pool may need. */
export type Feature = 'ipip' | 'vxlan';

/** Why the kernel lacks each missing feature. */
export type MissingFeatures = ReadonlyMap<Feature, string>;

export function poolPrefix(pool: IPPool): Prefix {
  return parsePrefix(pool.spec.cidr, { hostBits: 'clear' });
}

export function usesVxlan(pool: IPPool): boolean {
  return isSet(pool.spec.vxlanMode);
}

/** VXLAN for the pods of one IP version, which also its packets between nodes have. */
export function usesVxlanOver(pool: IPPool, family: Family): boolean {
  return usesVxlan(pool) && poolPrefix(pool).family === family;
}

export function usesIpip(pool: IPPool): boolean {
  return isSet(pool.spec.ipipMode);
}

function isSet(mode: string | undefined): boolean {
  return mode !== undefined && mode !== '' && mode !== 'Never';
}

/** One sentence when pods of this pool cannot be connected by this kernel. */
export function poolRefusal(pool: IPPool, missing: MissingFeatures): string | undefined {
  const need = tunnelNeed(pool);
  const cause = need === undefined ? undefined : missing.get(need.feature);
  return need === undefined || cause === undefined
    ? undefined
    : `pool ${pool.metadata.name}: ${need.setting} needs the ${need.feature} module: ${cause}`;
}

/** The tunnel that a pool asks for; `family`: of the packets between nodes. */
export function tunnelNeed(
  pool: IPPool,
): { readonly feature: Feature; readonly family: Family; readonly setting: string } | undefined {
  const { family } = poolPrefix(pool);
  const { ipipMode, vxlanMode } = pool.spec;
  if (usesIpip(pool)) return { feature: 'ipip', family, setting: `ipipMode ${ipipMode}` };
  if (usesVxlan(pool)) return { feature: 'vxlan', family, setting: `vxlanMode ${vxlanMode}` };
  return undefined;
}
