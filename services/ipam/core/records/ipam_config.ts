// Cluster-wide settings of address management, from either of their two places.
import { parseJson } from './lossless_json.ts';

export type IpamConfig = {
  /** Nodes take addresses from their own blocks only. */
  readonly strictAffinity: boolean;
  readonly autoAllocateBlocks: boolean;
  /** Blocks a node may hold at most; at least 1. */
  readonly maxBlocksPerHost: number;
};

const DEFAULT_MAX_BLOCKS = 20;

/** `resource`: the v3 IPAMConfiguration, which wins; `legacy`: what older tools wrote. */
export function readConfig(resource: string | undefined, legacy: string | undefined): IpamConfig {
  const spec = fields(resource)?.['spec'];
  if (typeof spec === 'object' && spec !== null) {
    const { strictAffinity, autoAllocateBlocks, maxBlocksPerHost } = spec as Record<
      string,
      unknown
    >;
    return config(strictAffinity, autoAllocateBlocks ?? true, maxBlocksPerHost);
  }
  const old = fields(legacy);
  if (old !== undefined) {
    return config(old['strict_affinity'], old['auto_allocate_blocks'], old['maxBlocksPerHost']);
  }
  return config(false, true, 0);
}

function config(strict: unknown, autoAllocate: unknown, maxBlocks: unknown): IpamConfig {
  const limit = Number(maxBlocks ?? 0);
  return {
    strictAffinity: strict === true,
    autoAllocateBlocks: autoAllocate === true,
    maxBlocksPerHost: Number.isInteger(limit) && limit > 0 ? limit : DEFAULT_MAX_BLOCKS,
  };
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
