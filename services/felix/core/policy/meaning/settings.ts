// What the fixed part of the packet filter depends on, read from configuration and pools.
import type { Family } from '@calico/ip';
import type { FelixConfiguration, IPPool } from '@calico/model';

export type FilterSettings = {
  /** Interfaces of pods, with a trailing "*"; of several prefixes the first. */
  readonly podInterfaces: string;
  readonly podToHost: 'Drop' | 'Accept' | 'Return';
  readonly dropsInvalid: boolean;
  readonly canSpoof: boolean;
  readonly allowsVxlanFromPods: boolean;
  readonly allowsIpipFromPods: boolean;
  readonly hasVxlan: boolean;
  readonly hasIpip: boolean;
  readonly vxlanPort: number;
  /** Families of pools with natOutgoing. */
  readonly natFamilies: readonly Family[];
  readonly natSparesNodes: boolean;
  readonly logPrefix: string;
  /** One bit out of nftablesMarkMask. */
  readonly passBit: number;
  /** The bit of a connection's mark that says "cut"; undefined: connections are kept. */
  readonly cutBit: number | undefined;
};

const DEFAULT_MARK_MASK = 0xffff0000;

export function filterSettings(
  configuration: FelixConfiguration | undefined,
  pools: readonly IPPool[],
): FilterSettings {
  const spec: FelixConfiguration['spec'] = configuration?.spec ?? {};
  const mask = markMask(spec);
  const lowest = (mask & -mask) >>> 0;
  return {
    podInterfaces: `${spec.interfacePrefix?.split(',')[0] ?? 'cali'}*`,
    podToHost: spec.defaultEndpointToHostAction ?? 'Drop',
    dropsInvalid: spec.disableConntrackInvalidCheck !== true,
    canSpoof: spec.workloadSourceSpoofing === 'Any',
    allowsVxlanFromPods: spec.allowVXLANPacketsFromWorkloads === true,
    allowsIpipFromPods: spec.allowIPIPPacketsFromWorkloads === true,
    hasVxlan: pools.some((pool) => pool.spec.vxlanMode !== 'Never'),
    hasIpip: pools.some((pool) => pool.spec.ipipMode !== 'Never'),
    vxlanPort: spec.vxlanPort ?? 4789,
    natFamilies: natFamilies(pools),
    natSparesNodes: spec.natOutgoingExclusions === 'IPPoolsAndHostIPs',
    logPrefix: spec.logPrefix ?? 'calico-packet',
    passBit: lowest,
    // The marks of packets and of connections are different fields: the same bit serves both.
    cutBit: spec.connections === 'Keep' ? undefined : lowest,
  };
}

/** At least one bit. */
function markMask(spec: FelixConfiguration['spec']): number {
  const configured = (spec as Readonly<Record<string, unknown>>)['nftablesMarkMask'];
  return Number(configured ?? DEFAULT_MARK_MASK) >>> 0 || DEFAULT_MARK_MASK;
}

function natFamilies(pools: readonly IPPool[]): Family[] {
  const nat = pools
    .filter(({ spec }) => spec.natOutgoing)
    .map(({ spec }) => spec.cidr.includes(':'));
  return [
    ...(nat.includes(false) ? [4 as const] : []),
    ...(nat.includes(true) ? [6 as const] : []),
  ];
}
