// Cluster-wide settings of address management, from either of their two places.
import { parseJson } from './lossless_json.ts';

export type IpamConfig = {
  /** Nodes take addresses from their own blocks only. */
  readonly strictAffinity: boolean;
  readonly autoAllocateBlocks: boolean;
  /** Blocks a node may hold at most; at least 1. */
  readonly maxBlocksPerHost: number;
  /** Label of nodes, besides the zone, whose equal values keep them together; '': none. */
  readonly topologyLabel: string;
  /** How long a released address is not given out again. */
  readonly cooldownMs: number;
  /** Addresses of each family that a node may hold ready for pods. */
  readonly warmAddresses: number;
};

const DEFAULT_MAX_BLOCKS = 20;
const MOST_WARM_ADDRESSES = 16;

/** `resource`: the v3 IPAMConfiguration, which wins; `legacy`: what older tools wrote. */
export function readConfig(resource: string | undefined, legacy: string | undefined): IpamConfig {
  const spec = fields(resource)?.['spec'];
  if (typeof spec === 'object' && spec !== null) {
    const { autoAllocateBlocks = true, ...others } = spec as Record<string, unknown>;
    return config({ autoAllocateBlocks, ...others });
  }
  const old = fields(legacy);
  if (old === undefined) return config({ autoAllocateBlocks: true });
  return config({
    ...old,
    strictAffinity: old['strict_affinity'],
    autoAllocateBlocks: old['auto_allocate_blocks'],
  });
}

function config(values: Readonly<Record<string, unknown>>): IpamConfig {
  const { maxBlocksPerHost, topologyLabel, ipCooldownSeconds } = values;
  return {
    strictAffinity: values['strictAffinity'] === true,
    autoAllocateBlocks: values['autoAllocateBlocks'] === true,
    maxBlocksPerHost: wholeNumber(maxBlocksPerHost) || DEFAULT_MAX_BLOCKS,
    topologyLabel: typeof topologyLabel === 'string' ? topologyLabel : '',
    cooldownMs: 1000 * wholeNumber(ipCooldownSeconds),
    warmAddresses: Math.min(wholeNumber(values['warmAddressesPerNode']), MOST_WARM_ADDRESSES),
  };
}

function wholeNumber(value: unknown): number {
  const number = Number(value ?? 0);
  return Number.isInteger(number) && number > 0 ? number : 0;
}

function fields(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  try {
    const value = parseJson(text);
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
