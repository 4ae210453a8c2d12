// Which pools need which tunnel, and which of them this kernel cannot serve.
import { type Prefix, parsePrefix } from '@calico/ip';
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

export function usesIpip(pool: IPPool): boolean {
  return isSet(pool.spec.ipipMode);
}

function isSet(mode: string | undefined): boolean {
  return mode !== undefined && mode !== '' && mode !== 'Never';
}

/** One sentence when pods of this pool cannot be connected by this kernel. */
export function poolRefusal(pool: IPPool, missing: MissingFeatures): string | undefined {
  const needs = needOf(pool);
  if (needs === undefined) return undefined;
  const { name } = pool.metadata;
  if (needs.feature === 'vxlan' && poolPrefix(pool).family === 6) {
    return `pool ${name}: ${needs.setting} is not available for IPv6: use vxlanMode Never`;
  }
  const cause = missing.get(needs.feature);
  return cause === undefined
    ? undefined
    : `pool ${name}: ${needs.setting} needs the ${needs.feature} module: ${cause}`;
}

function needOf(pool: IPPool): { feature: Feature; setting: string } | undefined {
  if (usesIpip(pool)) return { feature: 'ipip', setting: `ipipMode ${pool.spec.ipipMode}` };
  if (usesVxlan(pool)) return { feature: 'vxlan', setting: `vxlanMode ${pool.spec.vxlanMode}` };
  return undefined;
}
