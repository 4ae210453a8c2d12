// What the kernel holds, as data. Linux: include/uapi/linux/{if_link,rtnetlink,neighbour,fib_rules}.h
import type { Address, Family, Prefix } from '@calico/ip';
import type { RouteTemplate } from './route_template.ts';

export type Link = {
  readonly index: number;
  readonly name: string;
  /** "veth", "vxlan", "ipip", "bridge" …; undefined for devices without IFLA_INFO_KIND. */
  readonly kind: string | undefined;
  /** "ee:ee:ee:ee:ee:ee"; undefined for devices without a link-layer address. */
  readonly mac: string | undefined;
  /** Bytes. */
  readonly mtu: number;
  /** IFF_UP: somebody wants it to work. */
  readonly up: boolean;
  /** IFF_RUNNING: it does, there is a carrier. */
  readonly running: boolean;
  readonly loopback: boolean;
  /** Index of the peer or lower device (IFLA_LINK). */
  readonly linkIndex: number | undefined;
  readonly vxlan: VxlanAttributes | undefined;
  /** IFLA_IFALIAS: a text for people, up to 255 bytes. */
  readonly alias?: string;
};

export type VxlanAttributes = {
  /** 1 to 16777215. */
  readonly vni: number;
  /** UDP destination port of the outer packets. */
  readonly port: number;
  readonly local: Address | undefined;
  /** Device the outer packets leave by. */
  readonly parentIndex: number | undefined;
  /** Whether forwarding entries come of what arrives, too. */
  readonly learning: boolean;
};

export type InterfaceAddress = {
  readonly interfaceIndex: number;
  readonly address: Address;
  readonly prefixLength: number;
  readonly scope: RouteScope;
  /** IPv4, IFA_F_SECONDARY: another address of the same network comes first. Not written. */
  readonly secondary?: boolean;
  /** IPv6: temporary, deprecated, tentative or a duplicate; it will go away or may not come. Not written. */
  readonly transient?: boolean;
};

export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw';
export type RouteScope = 'global' | 'site' | 'link' | 'host' | 'nowhere';

export type NextHop = {
  readonly gateway?: Address;
  readonly interfaceIndex?: number;
  /** RTNH_F_ONLINK: the gateway is on the link, whatever the routes say. */
  readonly onlink?: boolean;
  /** Share of the traffic among the next hops: 1 to 256. */
  readonly weight?: number;
  /**
   * RTNH_F_DEAD or RTNH_F_LINKDOWN: its interface is down or has no carrier, whatever the kernel still sends there.
   * Not written; routeTo() does not tell it.
   */
  readonly down?: boolean;
};

export type Route = {
  readonly destination: Prefix;
  readonly type: RouteType;
  /** 254 is main. */
  readonly table: number;
  /** RTA_PROTOCOL: 2 kernel, 3 boot, 4 static, 12 bird, 80 felix. */
  readonly protocol: number;
  readonly scope: RouteScope;
  /** RTA_PRIORITY: of routes to one destination the lowest is taken. Left out: 0 for IPv4, 1024 for IPv6. */
  readonly metric?: number;
  /** RTA_PREFSRC: where packets of this host are from. */
  readonly source?: Address;
  /** RTAX_MTU, bytes. */
  readonly mtu?: number;
  /** Empty for blackhole and the like; more than one is multipath. */
  readonly nextHops: readonly NextHop[];
  /** The nexthop object that the route refers to; when it is written, `nextHops` has to be empty. */
  readonly nextHopId?: number;
};

/** A next hop of its own, for routes to refer to: they go when it goes (kernel 5.3 or newer). */
export type NextHopObject = {
  /** 1 to 4294967295. */
  readonly id: number;
  readonly family: Family;
  /** As of a route. */
  readonly protocol: number;
  /** Of the same family. */
  readonly gateway?: Address;
  readonly interfaceIndex: number;
  readonly onlink?: boolean;
};

export type RouteFilter = {
  readonly family: Family;
  readonly table?: number;
  readonly protocol?: number;
  readonly interfaceIndex?: number;
};

export type Neighbour = {
  readonly interfaceIndex: number;
  readonly address: Address;
  readonly mac: string;
  /** NUD_PERMANENT; else the kernel's own entry. */
  readonly permanent: boolean;
};

/** Forwarding entry of a VXLAN device: frames to `mac` go to `destination`. */
export type FdbEntry = {
  readonly interfaceIndex: number;
  readonly mac: string;
  readonly destination: Address;
};

/** Which routes are asked for a packet: struct fib_rule_hdr and FRA_*. What is left out matches any. */
export type Rule = {
  readonly family: Family;
  /** The lowest is asked first. */
  readonly priority: number;
  /** Of routes; 254 is main. */
  readonly table: number;
  readonly source?: Prefix;
  readonly destination?: Prefix;
  readonly mark?: { readonly value: number; readonly mask: number };
  readonly inputInterface?: string;
  /** FIB_RULE_INVERT: for packets that do not match. */
  readonly invert?: boolean;
};

/** One request of a batch. `add` fails with EEXIST, `replace` does not. */
export type Request =
  | {
      readonly kind: 'route';
      readonly action: 'add' | 'replace' | 'append' | 'delete';
      readonly route: Route;
    }
  | { readonly kind: 'nexthop-add'; readonly nextHop: NextHopObject }
  /** Takes all routes that refer to it along. */
  | { readonly kind: 'nexthop-delete'; readonly id: number }
  | {
      readonly kind: 'address';
      readonly action: 'add' | 'replace' | 'delete';
      readonly address: InterfaceAddress;
    }
  | {
      readonly kind: 'neighbour';
      readonly action: 'replace' | 'delete';
      readonly neighbour: Neighbour;
    }
  | { readonly kind: 'fdb'; readonly action: 'replace' | 'delete'; readonly entry: FdbEntry }
  | { readonly kind: 'rule'; readonly action: 'add' | 'delete'; readonly rule: Rule }
  | { readonly kind: 'link-add'; readonly link: NewLink }
  | { readonly kind: 'link-set'; readonly index: number; readonly changes: LinkChanges }
  | { readonly kind: 'link-delete'; readonly index: number }
  | { readonly kind: 'proxy-arp-delay'; readonly interfaceIndex: number; readonly delayMs: number };

export type NewLink =
  | {
      readonly kind: 'veth';
      readonly name: string;
      readonly mac?: string;
      readonly mtu: number;
      readonly up: boolean;
      readonly peer: {
        readonly name: string;
        readonly mtu: number;
        readonly mac?: string;
        /** File descriptor of the namespace in which the peer is created. */
        readonly netnsFd?: number;
      };
    }
  | {
      readonly kind: 'vxlan';
      readonly name: string;
      readonly mac?: string;
      readonly mtu: number;
      readonly vxlan: VxlanAttributes;
    }
  /** The kernel creates tunl0 when the module loads; then only `link-set` is needed. */
  | { readonly kind: 'ipip'; readonly name: string; readonly mtu: number };

export type LinkChanges = {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly mac?: string;
  readonly name?: string;
  /** '' takes it away. */
  readonly alias?: string;
  /** net.ipv4.conf.<dev>.* by IFLA_AF_SPEC; keys are IPV4_DEVCONF_* names in lower case. */
  readonly ipv4Conf?: Readonly<
    Partial<
      Record<'forwarding' | 'proxy_arp' | 'rp_filter' | 'route_localnet' | 'accept_local', number>
    >
  >;
};

/** Why one request of a batch failed; the others were carried out (rtnetlink goes on). */
export type RequestFailure = {
  /** Position in the batch. */
  readonly index: number;
  /** "EEXIST", "ESRCH", "ENODEV", "EINVAL" … */
  readonly code: string;
  /** Extended ack text of the kernel; may be empty. */
  readonly message: string;
};

export type MonitorEvent =
  | { readonly kind: 'link'; readonly action: 'new' | 'deleted'; readonly link: Link }
  | {
      readonly kind: 'address';
      readonly action: 'new' | 'deleted';
      readonly address: InterfaceAddress;
    }
  | { readonly kind: 'route'; readonly action: 'new' | 'deleted'; readonly route: Route }
  | {
      readonly kind: 'neighbour';
      readonly action: 'new' | 'deleted';
      /** Of a deleted entry the kernel may not tell the MAC (then ''), nor that it was permanent. */
      readonly neighbour: Neighbour;
    }
  | { readonly kind: 'fdb'; readonly action: 'new' | 'deleted'; readonly entry: FdbEntry }
  | { readonly kind: 'rule'; readonly action: 'new' | 'deleted'; readonly rule: Rule }
  /** 'new' may be a change. IPv4 routes that refer to a deleted one go without events of their own. */
  | {
      readonly kind: 'nexthop';
      readonly action: 'new' | 'deleted';
      readonly nextHop: NextHopObject;
    }
  /** Events were lost (ENOBUFS): dump again. */
  | { readonly kind: 'overrun' };

/** rtnetlink of one network namespace. Every call is synchronous: the kernel answers inside send(). */
export interface Netlink {
  links(): Link[];
  linkByName(name: string): Link | undefined;
  linkByIndex(index: number): Link | undefined;
  addresses(filter?: {
    readonly family?: Family;
    readonly interfaceIndex?: number;
  }): InterfaceAddress[];
  routes(filter: RouteFilter): Route[];
  /** Throws NetlinkError with code EOPNOTSUPP where the kernel has no nexthop objects. */
  nextHopObjects(): NextHopObject[];
  /** The route the kernel would take to an address (RTM_GETROUTE without dump). */
  routeTo(destination: Address): Route | undefined;
  /**
   * The route of the tables that routeTo() comes of, with the prefix that it has there (RTM_F_FIB_MATCH). Undefined
   * where none matches, and where what matches leads nowhere (a blackhole): the kernel does not show that.
   */
  entryFor(destination: Address): Route | undefined;
  neighbours(filter?: { readonly interfaceIndex?: number }): Neighbour[];
  fdb(interfaceIndex: number): FdbEntry[];
  rules(family: Family): Rule[];
  /** Carries out all requests, in order, in as few sends as possible. Failures come back, none throws. */
  execute(requests: readonly Request[]): RequestFailure[];
  /** Closes the socket. */
  close(): void;
}

/** Requests in one buffer, that one call hands to the kernel on another thread. */
export interface Batch {
  /** What the kernel calls the sender: see MonitorOptions. */
  readonly portId: number;
  readonly count: number;
  add(request: Request): void;
  /**
   * Appends a request by its template, for another destination: no object, no allocation.
   * @param a 32 bits of the address; IPv6 has four of them
   */
  addRoute(
    template: RouteTemplate,
    length: number,
    a: number,
    b: number,
    c: number,
    d: number,
  ): void;
  /**
   * Carries all out, in order, each for itself, and empties the batch; after what was submitted before.
   * @param done is called with what failed; the kernel may be at work on the next by then
   */
  submit(done: (failures: readonly RequestFailure[]) => void): void;
  /** What was submitted is not done. */
  readonly isBusy: boolean;
  /**
   * As submit(), here and now: for so few that another thread would not be worth its wake-up. Not while the
   * batch is busy, as answers could not be told apart.
   */
  execute(): readonly RequestFailure[];
  /** Closes the socket once nothing is under way any more. */
  close(): void;
}

/** The routes of a table, some at a time. */
export interface RouteDump {
  /**
   * Reads some hundred routes at most. 'interrupted': the table has changed meanwhile, or the kernel refused;
   * some may have been left out.
   * Throws NetlinkDecodeError.
   */
  next(visit: (route: Route) => void): 'more' | 'done' | 'interrupted';
  close(): void;
}

export type MonitorGroup =
  | 'link'
  | 'ipv4-address'
  | 'ipv6-address'
  | 'ipv4-route'
  | 'ipv6-route'
  /** Neighbours and forwarding entries. */
  | 'neighbour'
  | 'ipv4-rule'
  | 'ipv6-rule'
  /** Nexthop objects (kernel 5.3 or newer). */
  | 'nexthop';

/** Changes of one namespace as they happen; ends when closed. */
export interface Monitor extends AsyncIterable<MonitorEvent> {
  close(): void;
}
