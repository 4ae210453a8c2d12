// What the fixed part of the packet filter depends on, read from configuration and pools.
import { type Address, FAMILIES, type Family, parseAddress } from '@calico/ip';
import { type FelixConfiguration, type IPPool, parsePort } from '@calico/model';

export type FilterSettings = {
  /** Interfaces of pods, with a trailing "*"; of several prefixes the first. */
  readonly podInterfaces: string;
  readonly podToHost: 'Drop' | 'Accept' | 'Return';
  readonly dropsInvalid: boolean;
  readonly canSpoof: boolean;
  readonly allowsVxlanFromPods: boolean;
  readonly allowsIpipFromPods: boolean;
  /** Families of pools with VXLAN, which its packets between nodes have too. */
  readonly vxlanFamilies: readonly Family[];
  readonly hasIpip: boolean;
  readonly vxlanPort: number;
  /** Families of pools with natOutgoing. */
  readonly natFamilies: readonly Family[];
  readonly natSparesNodes: boolean;
  /** What natOutgoing translates to; undefined: the address of the interface. */
  readonly natAddress: Address | undefined;
  /** Source ports of what natOutgoing translates, as nft writes them. */
  readonly natPorts: string | undefined;
  readonly logPrefix: string;
  readonly logsDenied: boolean;
  /** One bit out of nftablesMarkMask. */
  readonly passBit: number;
  /** The bit of the packet mark that says "a host endpoint's early policy has allowed it". */
  readonly acceptBit: number;
  /** The bit that says "sent by this host to a destination that was translated". */
  readonly translatedBit: number;
  /** What a Deny rule and the end of a tier do, where the kernel can answer. */
  readonly denyAction: 'Drop' | 'Reject';
  readonly failsafe: FailsafePorts;
  /** The bit of a connection's mark that says "cut"; undefined: connections are kept. */
  readonly cutBit: number | undefined;
};

type HostPort = NonNullable<FelixConfiguration['spec']['failsafeInboundHostPorts']>[number];

/** Ports that no policy of a host endpoint closes. */
export type FailsafePorts = {
  readonly inbound: readonly HostPort[];
  readonly outbound: readonly HostPort[];
};

/** Upstream's, then NATS, api and ipam: a policy that cuts a node off from them could not be taken back. */
const CONTROL_PLANE = [179, 2379, 2380, 5473, 6443, 6666, 6667, 4222, 5671, 5672];
const tcp = (port: number): HostPort => ({ protocol: 'TCP', port });
const udp = (port: number): HostPort => ({ protocol: 'UDP', port });
const FAILSAFE: FailsafePorts = {
  inbound: [tcp(22), udp(68), ...CONTROL_PLANE.map(tcp)],
  outbound: [udp(53), udp(67), ...CONTROL_PLANE.map(tcp)],
};

const DEFAULT_MARK_MASK = 0xffff0000;

export function filterSettings(
  configuration: FelixConfiguration | undefined,
  pools: readonly IPPool[],
): FilterSettings {
  const spec: FelixConfiguration['spec'] = configuration?.spec ?? {};
  const mask = markMask(spec);
  const [lowest, second, third] = threeBits(mask);
  return {
    podInterfaces: `${spec.interfacePrefix?.split(',')[0] ?? 'cali'}*`,
    podToHost: spec.defaultEndpointToHostAction ?? 'Drop',
    dropsInvalid: spec.disableConntrackInvalidCheck !== true,
    canSpoof: spec.workloadSourceSpoofing === 'Any',
    allowsVxlanFromPods: spec.allowVXLANPacketsFromWorkloads === true,
    allowsIpipFromPods: spec.allowIPIPPacketsFromWorkloads === true,
    vxlanFamilies: familiesOf(pools.filter((pool) => pool.spec.vxlanMode !== 'Never')),
    hasIpip: pools.some((pool) => pool.spec.ipipMode !== 'Never'),
    vxlanPort: spec.vxlanPort ?? 4789,
    natFamilies: familiesOf(pools.filter((pool) => pool.spec.natOutgoing)),
    natSparesNodes: spec.natOutgoingExclusions === 'IPPoolsAndHostIPs',
    natAddress: spec.natOutgoingAddress ? parseAddress(spec.natOutgoingAddress) : undefined,
    natPorts: natPorts(spec),
    logPrefix: spec.logPrefix ?? 'calico-packet',
    logsDenied: spec.deniedLog === 'Enabled',
    passBit: lowest,
    acceptBit: second,
    translatedBit: third,
    denyAction: spec.nftablesFilterDenyAction ?? 'Drop',
    failsafe: {
      inbound: spec.failsafeInboundHostPorts ?? FAILSAFE.inbound,
      outbound: spec.failsafeOutboundHostPorts ?? FAILSAFE.outbound,
    },
    // The marks of packets and of connections are different fields: the same bit serves both.
    cutBit: spec.connections === 'Keep' ? undefined : lowest,
  };
}

function markMask(spec: FelixConfiguration['spec']): number {
  const configured = (spec as Readonly<Record<string, unknown>>)['nftablesMarkMask'];
  return Number(configured ?? DEFAULT_MARK_MASK) >>> 0;
}

/** The lowest three bits; of the default mask when there are fewer. */
function threeBits(mask: number): readonly [number, number, number] {
  const bits = Array.from({ length: 32 }, (_, index) => 2 ** index);
  const [a, b, c] = bits.filter((bit) => (mask & bit) !== 0);
  if (a !== undefined && b !== undefined && c !== undefined) return [a, b, c];
  return threeBits(DEFAULT_MARK_MASK);
}

function natPorts({ natPortRange }: FelixConfiguration['spec']): string | undefined {
  const range = natPortRange === undefined ? undefined : parsePort(natPortRange);
  if (range?.kind !== 'range') return undefined;
  return range.first === range.last ? String(range.first) : `${range.first}-${range.last}`;
}

function familiesOf(pools: readonly IPPool[]): Family[] {
  const found = new Set(pools.map(({ spec }) => (spec.cidr.includes(':') ? 6 : 4)));
  return FAMILIES.filter((family) => found.has(family));
}
