// The part of the kernel's state that felix owns, as data. Devices are named, never numbered: the
// adapter translates names to indexes at the moment of the change.
import {
  type Address,
  FAMILIES,
  type Family,
  formatAddress,
  formatPrefix,
  type Prefix,
} from '@calico/ip';
import { VXLAN_DEVICES } from '@calico/model';

/** RTPROT_BOOT: routes of local pods, as upstream has them. */
export const PROTOCOL_BOOT = 3;
/** Routes of overlays. */
export const PROTOCOL_FELIX = 80;

export const IPIP_DEVICE = 'tunl0';
export const POD_DEVICE_PREFIX = 'cali';

/** RTA_PRIORITY that the kernel gives to a route that asks for none (IPv6: IP6_RT_PRIO_USER). */
export const DEFAULT_METRIC: Readonly<Record<Family, number>> = { 4: 0, 6: 1024 };

/** Undefined: not a VXLAN device of felix's. */
export function vxlanFamilyOf(device: string): Family | undefined {
  return FAMILIES.find((family) => VXLAN_DEVICES[family] === device);
}

export type TunnelDevice = {
  readonly name: string;
  readonly mtu: number;
  /** This node's address inside the tunnel, /32 or /128 on the device; undefined until assigned. */
  readonly address: Address | undefined;
  /** Undefined for IPIP. */
  readonly vxlan:
    | {
        readonly vni: number;
        readonly port: number;
        readonly local: Address;
        /** Name of the uplink. */
        readonly parent: string;
        readonly mac: string;
      }
    | undefined;
};

export type OwnedRoute = {
  readonly destination: Prefix;
  readonly device: string;
  readonly gateway: Address | undefined;
  readonly onlink: boolean;
  readonly protocol: number;
  readonly scope: 'link' | 'global';
  /** RTA_PRIORITY. */
  readonly metric: number;
};

export type OwnedNeighbour = {
  readonly device: string;
  readonly address: Address;
  readonly mac: string;
};

export type OwnedFdbEntry = {
  readonly device: string;
  readonly mac: string;
  readonly destination: Address;
};

/** /32 or /128 on the host end of a pod's pair. */
export type OwnedAddress = { readonly device: string; readonly address: Address };

/** The up flag and net.ipv4.conf of the host end of a pod's pair. */
export type PodDeviceSettings = {
  readonly up: boolean;
  readonly proxyArp: boolean;
  readonly forwarding: boolean;
  readonly reversePathFilter: boolean;
};

export const POD_DEVICE_SETTINGS: PodDeviceSettings = {
  up: true,
  proxyArp: true,
  forwarding: true,
  reversePathFilter: true,
};

/** Alias of tunl0 while it is felix's. The device itself is the module's: others may use it too. */
export const TUNNEL_ALIAS = 'calico';

/** A tunnel device as found. */
export type FoundTunnel = {
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number;
  /** Set up by felix: by its name or, tunl0, by its alias. */
  readonly isOurs: boolean;
  readonly addresses: readonly Address[];
  readonly vxlan:
    | {
        readonly vni: number;
        readonly port: number;
        readonly local: Address | undefined;
        readonly parent: string | undefined;
        readonly mac: string | undefined;
        readonly learning: boolean;
      }
    | undefined;
};

type Owned = {
  readonly routes: ReadonlyMap<string, OwnedRoute>;
  readonly neighbours: ReadonlyMap<string, OwnedNeighbour>;
  readonly fdb: ReadonlyMap<string, OwnedFdbEntry>;
  /** Host ends of pods. In the found state: every veth device with the prefix. */
  readonly podDevices: ReadonlyMap<string, PodDeviceSettings>;
  /** On them. */
  readonly podAddresses: ReadonlyMap<string, OwnedAddress>;
};

/** Maps are keyed by the functions below, or by device name. */
export type Dataplane = Owned & { readonly tunnels: ReadonlyMap<string, TunnelDevice> };
export type FoundDataplane = Owned & { readonly tunnels: ReadonlyMap<string, FoundTunnel> };

export const EMPTY_DATAPLANE: Dataplane = {
  tunnels: new Map(),
  routes: new Map(),
  neighbours: new Map(),
  fdb: new Map(),
  podDevices: new Map(),
  podAddresses: new Map(),
};

/** The kernel keeps one route per destination and metric in a table. */
export function routeKey(route: OwnedRoute): string {
  return `${formatPrefix(route.destination)} ${route.metric}`;
}

export function neighbourKey(neighbour: OwnedNeighbour): string {
  return `${neighbour.device} ${formatAddress(neighbour.address)}`;
}

export function fdbKey(entry: OwnedFdbEntry): string {
  return `${entry.device} ${entry.mac}`;
}

export function addressKey({ device, address }: OwnedAddress): string {
  return `${device} ${formatAddress(address)}`;
}

export function describeRoute(route: OwnedRoute): string {
  const via = route.gateway === undefined ? '' : ` via ${formatAddress(route.gateway)}`;
  return `route ${formatPrefix(route.destination)}${via} dev ${route.device}`;
}
