// FelixConfiguration fields that shape tunnels and the MTU of what goes through them.
import { type FelixConfiguration, type IPPool, podMtu } from '@calico/model';
import { usesIpip, usesVxlan } from './pools.ts';

export type TunnelSettings = {
  readonly vxlanVni: number;
  readonly vxlanPort: number;
  /** 0: what the uplink leaves. */
  readonly vxlanMtu: number;
  /** 0: what the uplink leaves. */
  readonly ipipMtu: number;
};

export const VXLAN_VNI = 4096;
/** IANA: vxlan. */
export const VXLAN_PORT = 4789;
// Outer headers: IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14 (RFC 7348); IPv4 20 (RFC 2003).
const VXLAN_OVERHEAD = 50;
const IPIP_OVERHEAD = 20;

export function tunnelSettings(spec: FelixConfiguration['spec']): TunnelSettings {
  return {
    vxlanVni: spec.vxlanVNI ?? VXLAN_VNI,
    vxlanPort: spec.vxlanPort ?? VXLAN_PORT,
    vxlanMtu: spec.vxlanMTU ?? 0,
    ipipMtu: spec.ipipMTU ?? 0,
  };
}

export function vxlanDeviceMtu(settings: TunnelSettings, underlay: number): number {
  return settings.vxlanMtu === 0 ? underlay - VXLAN_OVERHEAD : settings.vxlanMtu;
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
  if (pool !== undefined && usesVxlan(pool) && settings.vxlanMtu !== 0) return settings.vxlanMtu;
  if (pool !== undefined && usesIpip(pool) && settings.ipipMtu !== 0) return settings.ipipMtu;
  return podMtu(pool, underlay);
}
