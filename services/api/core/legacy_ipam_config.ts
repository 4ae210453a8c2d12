import { IPAM_ROOT, type IPAMConfiguration } from '@calico/model';

/** Where upstream's IPAM library keeps its settings in etcd. */
export const LEGACY_IPAM_CONFIG_PATH = `${IPAM_ROOT}config`;

/** The settings in that library's spelling. */
export function legacyIpamConfig({ spec }: IPAMConfiguration): string {
  return JSON.stringify({
    strict_affinity: spec.strictAffinity,
    auto_allocate_blocks: spec.autoAllocateBlocks,
    maxBlocksPerHost: spec.maxBlocksPerHost,
  });
}
