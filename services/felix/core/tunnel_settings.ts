// FelixConfiguration fields that shape tunnels and the MTU of what goes through them.
import type { Family } from '@calico/ip';
import {
  type FelixConfiguration,
  type IPPool,
  IPV6_LEAST_MTU,
  podMtu,
  VXLAN_OVERHEAD,
} from '@calico/model';
import { poolPrefix, usesIpip, usesVxlan } from './pools.ts';

export type TunnelSettings = {
  readonly vxlanVni: number;
  readonly vxlanPort: number;
  /** By IP version. 0: what the uplink leaves. */
  readonly vxlanMtu: Readonly<Record<Family, number>>;
  /** 0: what the uplink leaves. */
  readonly ipipMtu: number;
};

const VXLAN_VNI = 4096;
/** IANA: vxlan. */
export const VXLAN_PORT = 4789;
// Outer header: IPv4 20 (RFC 2003).
const IPIP_OVERHEAD = 20;

export function tunnelSettings(spec: FelixConfiguration['spec']): TunnelSettings {
  return {
    vxlanVni: spec.vxlanVNI ?? VXLAN_VNI,
    vxlanPort: spec.vxlanPort ?? VXLAN_PORT,
    vxlanMtu: { 4: spec.vxlanMTU ?? 0, 6: spec.vxlanMTUV6 ?? 0 },
    ipipMtu: spec.ipipMTU ?? 0,
  };
}

export function vxlanDeviceMtu(
  { vxlanMtu }: TunnelSettings,
  family: Family,
  underlay: number,
): number {
  return vxlanMtu[family] === 0 ? underlay - VXLAN_OVERHEAD[family] : vxlanMtu[family];
}

/** Why a node with such an underlay can have no VXLAN device for IPv6. */
export function vxlanV6Refusal(settings: TunnelSettings, underlay: number): string | undefined {
  const mtu = vxlanDeviceMtu(settings, 6, underlay);
  if (mtu >= IPV6_LEAST_MTU) return undefined;
  return settings.vxlanMtu[6] === 0
    ? `underlay MTU ${underlay} leaves ${mtu}, less than the ${IPV6_LEAST_MTU} that IPv6 needs`
    : `vxlanMTUV6 ${mtu} is less than the ${IPV6_LEAST_MTU} that IPv6 needs`;
}

export function ipipDeviceMtu(settings: TunnelSettings, underlay: number): number {
  return settings.ipipMtu === 0 ? underlay - IPIP_OVERHEAD : settings.ipipMtu;
}

/** MTU of a pod's interface; a configured tunnel MTU wins. */
export function workloadMtu(
  pool: IPPool | undefined,
  settings: TunnelSettings,
  underlay: number,
): number {
  if (pool === undefined) return underlay;
  const configured = usesVxlan(pool)
    ? settings.vxlanMtu[poolPrefix(pool).family]
    : usesIpip(pool)
      ? settings.ipipMtu
      : 0;
  return configured === 0 ? podMtu(pool, underlay) : configured;
}
