// The host's side of the kernel: what felix owns of it, read and changed by name.
import { type Family, formatAddress, hostPrefix, isLinkLocal } from '@calico/ip';
import type { Link, Netlink, Request, Route } from '@calico/netlink';
import type { Change } from '../core/changes.ts';
import {
  addressKey,
  type FoundDataplane,
  type FoundTunnel,
  fdbKey,
  IPIP_DEVICE,
  neighbourKey,
  type OwnedAddress,
  type OwnedFdbEntry,
  type OwnedNeighbour,
  type OwnedRoute,
  POD_DEVICE_PREFIX,
  POD_DEVICE_SETTINGS,
  type PodDeviceSettings,
  PROTOCOL_BOOT,
  PROTOCOL_FELIX,
  routeKey,
  TUNNEL_ALIAS,
  type TunnelDevice,
  vxlanFamilyOf,
} from '../core/dataplane.ts';
import type { HostInterface } from '../core/policy/host/host_endpoints.ts';
import type { Feature } from '../core/pools.ts';
import { VXLAN_PORT } from '../core/tunnel_settings.ts';
import type { Uplink } from '../core/uplinks.ts';
import type { Kernel, KernelFailure } from '../ports.ts';
import { ensureSysctl, readSysctl } from './sysctl.ts';
import { UplinkFinder } from './uplink_finder.ts';

const MAIN_TABLE = 254;
// include/uapi/linux/rtnetlink.h
const RTPROT_STATIC = 4;
/** Protocols of routes that may be felix's. Those of routing daemons can be a million and are not read. */
const PROTOCOLS = [PROTOCOL_BOOT, RTPROT_STATIC, PROTOCOL_FELIX];
/** What a removal may find: it is gone already. */
const GONE = new Set(['ESRCH', 'ENOENT', 'ENODEV', 'EADDRNOTAVAIL']);
const PROBE_DEVICE = 'calico-probe';
/** Highest VNI: nobody uses it by chance. */
const PROBE_VNI = 0xff_ffff;

type Planned = { readonly change: Change; readonly request: Request };

export class NetlinkKernel implements Kernel {
  readonly #netlink: Netlink;
  readonly #uplinks: UplinkFinder;

  constructor(netlink: Netlink) {
    this.#netlink = netlink;
    this.#uplinks = new UplinkFinder(netlink);
  }

  read(options: { readonly podAddresses: boolean }): FoundDataplane {
    const links = new Map(this.#netlink.links().map((link) => [link.index, link]));
    const podDevices = new Map<string, PodDeviceSettings>();
    const tunnels = new Map<string, FoundTunnel>();
    const neighbours = new Map<string, OwnedNeighbour>();
    const fdb = new Map<string, OwnedFdbEntry>();
    for (const link of links.values()) {
      if (isPodDevice(link)) podDevices.set(link.name, podDeviceSettings(link));
      const family = link.kind === 'vxlan' ? vxlanFamilyOf(link.name) : undefined;
      if (family !== undefined) {
        tunnels.set(link.name, this.#foundTunnel(link, links, family));
        for (const neighbour of this.#neighboursOf(link, family)) {
          neighbours.set(neighbourKey(neighbour), neighbour);
        }
        for (const { mac, destination } of this.#netlink.fdb(link.index)) {
          const entry = { device: link.name, mac, destination };
          fdb.set(fdbKey(entry), entry);
        }
      }
      if (link.name === IPIP_DEVICE) tunnels.set(link.name, this.#foundTunnel(link, links, 4));
    }
    const routes = new Map<string, OwnedRoute>();
    for (const family of [4, 6] as const) {
      for (const protocol of PROTOCOLS) {
        for (const route of this.#netlink.routes({ family, table: MAIN_TABLE, protocol })) {
          const owned = ownedRoute(route, links);
          if (owned !== undefined) routes.set(routeKey(owned), owned);
        }
      }
    }
    const podAddresses: Map<string, OwnedAddress> = options.podAddresses
      ? this.#podAddresses(links)
      : new Map();
    return { tunnels, routes, neighbours, fdb, podDevices, podAddresses };
  }

  execute(changes: readonly Change[]): KernelFailure[] {
    const failures: KernelFailure[] = [];
    const planned: Planned[] = [];
    const indexes = new Map<string, number | undefined>();
    const indexOf = (device: string): number | undefined => {
      if (!indexes.has(device)) indexes.set(device, this.#netlink.linkByName(device)?.index);
      return indexes.get(device);
    };
    for (const change of changes) {
      if (change.kind === 'tunnel-create') {
        const failure = this.#createTunnel(change.tunnel);
        if (failure !== undefined) failures.push({ change, ...failure });
        continue;
      }
      const index = indexOf(deviceOf(change));
      if (index === undefined) {
        if (!isRemoval(change)) failures.push({ change, reason: 'its device does not exist' });
        continue;
      }
      for (const request of requestsOf(change, index)) planned.push({ change, request });
    }
    for (const failure of this.#netlink.execute(planned.map(({ request }) => request))) {
      const change = planned[failure.index]?.change;
      if (change === undefined || (isRemoval(change) && GONE.has(failure.code))) continue;
      failures.push({ change, reason: `${failure.code} ${failure.message}`.trim() });
    }
    return failures;
  }

  uplinkOf(address: string): Uplink | undefined {
    return this.#uplinks.find(address);
  }

  hostInterfaces(): HostInterface[] {
    const addresses = Map.groupBy(
      this.#netlink.addresses(),
      ({ interfaceIndex }) => interfaceIndex,
    );
    return this.#netlink
      .links()
      .filter(({ name }) => !name.startsWith(POD_DEVICE_PREFIX))
      .map(({ name, index }) => ({
        name,
        addresses: (addresses.get(index) ?? []).map(({ address }) => formatAddress(address)),
      }));
  }

  probe(feature: Feature): string | undefined {
    return feature === 'ipip' ? this.#probeIpip() : this.#probeVxlan();
  }

  enableForwarding(): string[] {
    return [ensureSysctl('ipv4/ip_forward', '1') ?? []].flat();
  }

  #probeIpip(): string | undefined {
    if (this.#netlink.linkByName(IPIP_DEVICE) !== undefined) return undefined;
    // Asking for a device makes the kernel load the module; that in turn creates tunl0.
    const failure = this.#add({ kind: 'ipip', name: IPIP_DEVICE, mtu: 1480 });
    if (failure === undefined || this.#netlink.linkByName(IPIP_DEVICE) !== undefined) {
      return undefined;
    }
    return `the kernel refuses a device of kind "ipip" (${failure}); load it with "modprobe ipip", or use vxlanMode`;
  }

  #probeVxlan(): string | undefined {
    if (this.#netlink.links().some(({ kind }) => kind === 'vxlan')) return undefined;
    const failure = this.#add({
      kind: 'vxlan',
      name: PROBE_DEVICE,
      mtu: 1450,
      vxlan: {
        vni: PROBE_VNI,
        port: VXLAN_PORT,
        local: undefined,
        parentIndex: undefined,
        learning: false,
      },
    });
    const probe = this.#netlink.linkByName(PROBE_DEVICE);
    if (probe !== undefined) this.#netlink.execute([{ kind: 'link-delete', index: probe.index }]);
    return failure === undefined || probe !== undefined
      ? undefined
      : `the kernel refuses a device of kind "vxlan" (${failure}); load it with "modprobe vxlan"`;
  }

  #add(link: Extract<Request, { kind: 'link-add' }>['link']): string | undefined {
    const failure = this.#netlink.execute([{ kind: 'link-add', link }])[0];
    return failure === undefined ? undefined : `${failure.code} ${failure.message}`.trim();
  }

  #createTunnel(
    tunnel: TunnelDevice,
  ): { readonly reason: string; readonly missing?: Feature } | undefined {
    const old = this.#netlink.linkByName(tunnel.name);
    if (tunnel.vxlan === undefined) {
      const reason = old === undefined ? this.#probeIpip() : undefined;
      if (reason !== undefined) return { reason, missing: 'ipip' };
    } else {
      if (old !== undefined) this.#netlink.execute([{ kind: 'link-delete', index: old.index }]);
      const { vni, port, local, parent, mac } = tunnel.vxlan;
      const parentIndex = this.#netlink.linkByName(parent)?.index;
      const vxlan = { vni, port, local, parentIndex, learning: false };
      const { name, mtu } = tunnel;
      const reason = this.#add({ kind: 'vxlan', name, mac, mtu, vxlan });
      if (reason !== undefined) return { reason };
    }
    const link = this.#netlink.linkByName(tunnel.name);
    if (link === undefined) return { reason: 'the device vanished after its creation' };
    const failure = this.#netlink.execute(setTunnel(tunnel, link.index))[0];
    return failure === undefined
      ? undefined
      : { reason: `${failure.code} ${failure.message}`.trim() };
  }

  /** Those of full length are felix's; the kernel's own link-local ones are shorter. */
  #podAddresses(links: ReadonlyMap<number, Link>): Map<string, OwnedAddress> {
    const owned = new Map<string, OwnedAddress>();
    for (const { interfaceIndex, address, prefixLength } of this.#netlink.addresses()) {
      const link = links.get(interfaceIndex);
      if (link === undefined || !isPodDevice(link)) continue;
      if (prefixLength !== hostPrefix(address).length) continue;
      owned.set(addressKey({ device: link.name, address }), { device: link.name, address });
    }
    return owned;
  }

  /** The kernel's own link-local address is left out. */
  #foundTunnel(link: Link, links: ReadonlyMap<number, Link>, family: Family): FoundTunnel {
    const { name, up, mtu, mac, vxlan } = link;
    const addresses = this.#netlink
      .addresses({ family, interfaceIndex: link.index })
      .map(({ address }) => address)
      .filter((address) => !isLinkLocal(address));
    if (vxlan === undefined) {
      return { name, up, mtu, isOurs: link.alias === TUNNEL_ALIAS, addresses, vxlan: undefined };
    }
    const { vni, port, local, parentIndex, learning } = vxlan;
    const parent = parentIndex === undefined ? undefined : links.get(parentIndex)?.name;
    return {
      name,
      up,
      mtu,
      isOurs: true,
      addresses,
      vxlan: { vni, port, local, parent, mac, learning },
    };
  }

  #neighboursOf(link: Link, family: Family): OwnedNeighbour[] {
    return this.#netlink
      .neighbours({ interfaceIndex: link.index })
      .filter(({ permanent, address }) => permanent && address.family === family)
      .map(({ address, mac }) => ({ device: link.name, address, mac }));
  }
}

function isPodDevice(link: Link): boolean {
  return link.kind === 'veth' && link.name.startsWith(POD_DEVICE_PREFIX);
}

function podDeviceSettings({ name, up }: Link): PodDeviceSettings {
  const conf = (setting: string): boolean => readSysctl(`ipv4/conf/${name}/${setting}`) === '1';
  return {
    up,
    proxyArp: conf('proxy_arp'),
    forwarding: conf('forwarding'),
    reversePathFilter: conf('rp_filter'),
  };
}

/** Routes to pods' devices, also those made by hand, and routes with felix' protocol wherever they lead. */
function ownedRoute(route: Route, links: ReadonlyMap<number, Link>): OwnedRoute | undefined {
  const { destination, protocol, type, nextHops } = route;
  const hop = nextHops[0];
  const link = hop?.interfaceIndex === undefined ? undefined : links.get(hop.interfaceIndex);
  const isPodRoute = link !== undefined && isPodDevice(link) && type === 'unicast';
  if (!isPodRoute && protocol !== PROTOCOL_FELIX) return undefined;
  return {
    destination,
    device: link?.name ?? '',
    gateway: hop?.gateway,
    onlink: hop?.onlink ?? false,
    protocol,
    scope: route.scope === 'link' ? 'link' : 'global',
    metric: route.metric ?? 0,
  };
}

function deviceOf(change: Exclude<Change, { kind: 'tunnel-create' }>): string {
  switch (change.kind) {
    case 'tunnel-set':
      return change.tunnel.name;
    case 'neighbour-put':
    case 'neighbour-remove':
      return change.neighbour.device;
    case 'fdb-put':
    case 'fdb-remove':
      return change.entry.device;
    case 'route-put':
      return change.route.device;
    case 'route-remove':
      // A blackhole has no device; the loopback's index is never sent for it.
      return change.route.device === '' ? 'lo' : change.route.device;
    case 'tunnel-remove':
    case 'pod-device-remove':
    case 'settings-put':
    case 'address-put':
    case 'address-remove':
      return change.device;
    default:
      return change satisfies never;
  }
}

function isRemoval(change: Change): boolean {
  return change.kind.endsWith('-remove');
}

function setTunnel(tunnel: TunnelDevice, index: number): Request[] {
  const { mtu, vxlan } = tunnel;
  const own = vxlan === undefined ? { alias: TUNNEL_ALIAS } : { mac: vxlan.mac };
  return [{ kind: 'link-set', index, changes: { up: true, mtu, ...own } }];
}

function requestsOf(change: Exclude<Change, { kind: 'tunnel-create' }>, index: number): Request[] {
  switch (change.kind) {
    case 'tunnel-set':
      return setTunnel(change.tunnel, index);
    case 'tunnel-remove':
      return change.device === IPIP_DEVICE
        ? [{ kind: 'link-set', index, changes: { up: false, alias: '' } }]
        : [{ kind: 'link-delete', index }];
    case 'pod-device-remove':
      return [{ kind: 'link-delete', index }];
    case 'settings-put':
      return podDeviceRequests(index, change.settings);
    case 'address-put':
    case 'address-remove': {
      const { length: prefixLength } = hostPrefix(change.address);
      const address = {
        interfaceIndex: index,
        address: change.address,
        prefixLength,
        // So that the host's own packets to a pod go on coming from the node's address.
        scope: change.device.startsWith(POD_DEVICE_PREFIX) ? 'host' : 'global',
      } as const;
      const action = change.kind === 'address-put' ? 'replace' : 'delete';
      return [{ kind: 'address', action, address }];
    }
    case 'neighbour-put':
    case 'neighbour-remove': {
      const { address, mac } = change.neighbour;
      const neighbour = { interfaceIndex: index, address, mac, permanent: true };
      const action = change.kind === 'neighbour-put' ? 'replace' : 'delete';
      return [{ kind: 'neighbour', action, neighbour }];
    }
    case 'fdb-put':
    case 'fdb-remove': {
      const { mac, destination } = change.entry;
      const entry = { interfaceIndex: index, mac, destination };
      return [{ kind: 'fdb', action: change.kind === 'fdb-put' ? 'replace' : 'delete', entry }];
    }
    case 'route-put':
      return [{ kind: 'route', action: 'replace', route: kernelRoute(change.route, index) }];
    case 'route-remove':
      return [{ kind: 'route', action: 'delete', route: kernelRoute(change.route, index) }];
    default:
      return change satisfies never;
  }
}

/** What makes the host end of a pair a pod's gateway. */
export function podDeviceRequests(
  index: number,
  settings: PodDeviceSettings = POD_DEVICE_SETTINGS,
): Request[] {
  const rp_filter = settings.reversePathFilter ? 1 : 0;
  return [
    {
      kind: 'link-set',
      index,
      changes: { up: true, ipv4Conf: { proxy_arp: 1, forwarding: 1, rp_filter } },
    },
    { kind: 'proxy-arp-delay', interfaceIndex: index, delayMs: 0 },
  ];
}

export function kernelRoute(route: OwnedRoute, index: number): Route {
  const { destination, gateway, onlink, protocol, scope, metric, device } = route;
  return {
    destination,
    type: 'unicast',
    table: MAIN_TABLE,
    protocol,
    scope,
    ...(metric === 0 ? {} : { metric }),
    nextHops:
      device === ''
        ? []
        : [
            {
              interfaceIndex: index,
              ...(gateway === undefined ? {} : { gateway }),
              ...(onlink ? { onlink } : {}),
            },
          ],
  };
}
