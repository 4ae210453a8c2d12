// Numbers of the kernel's interface. Linux: include/uapi/linux/{netlink,rtnetlink,if_link,if_addr,
// neighbour,fib_rules,ip,in_route}.h

/** struct nlmsghdr types that are not of a family. */
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3, OVERRUN: 4 } as const;

/** nlmsg_flags. */
export const NLM_F = {
  REQUEST: 0x1,
  MULTI: 0x2,
  ACK: 0x4,
  DUMP_INTR: 0x10,
  REPLACE: 0x100,
  EXCL: 0x200,
  DUMP: 0x300,
  CREATE: 0x400,
  APPEND: 0x800,
  /** In an answer: the failed request is not repeated in full. */
  CAPPED: 0x100,
  /** In an answer: attributes follow (extended ack). */
  ACK_TLVS: 0x200,
} as const;

export const NLMSGERR_ATTR = { MSG: 1 } as const;

/** Low 14 bits of nla_type; the others are NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
export const NLA_TYPE_MASK = 0x3fff;
export const NLA_F_NESTED = 0x8000;

export const AF = { UNSPEC: 0, INET: 2, BRIDGE: 7, INET6: 10 } as const;

export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  SETLINK: 19,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWNEIGH: 28,
  DELNEIGH: 29,
  GETNEIGH: 30,
  NEWRULE: 32,
  DELRULE: 33,
  GETRULE: 34,
  SETNEIGHTBL: 67,
  NEWNEXTHOP: 104,
  DELNEXTHOP: 105,
  GETNEXTHOP: 106,
} as const;

export const IFF = { UP: 0x1, LOOPBACK: 0x8, RUNNING: 0x40 } as const;

export const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  LINKINFO: 18,
  IFALIAS: 20,
  AF_SPEC: 26,
  NET_NS_FD: 28,
  EXT_MASK: 29,
} as const;

/** IFLA_EXT_MASK: leave the counters of virtual functions and address families out of the answer. */
export const RTEXT_FILTER_SKIP_STATS = 8;

export const IFLA_INFO = { KIND: 1, DATA: 2 } as const;
export const VETH_INFO_PEER = 1;
export const IFLA_VXLAN = {
  ID: 1,
  LINK: 3,
  LOCAL: 4,
  LEARNING: 7,
  PORT: 15,
  LOCAL6: 17,
} as const;
export const IFLA_INET_CONF = 1;

/** IPV4_DEVCONF_*: the numbers under IFLA_INET_CONF. */
export const IPV4_DEVCONF = {
  forwarding: 1,
  proxy_arp: 3,
  rp_filter: 8,
  accept_local: 23,
  route_localnet: 26,
} as const;

export const IFA = { ADDRESS: 1, LOCAL: 2, FLAGS: 8 } as const;
export const IFA_F = {
  /** IPv4. In IPv6 the same bit is IFA_F_TEMPORARY. */
  SECONDARY: 0x1,
  TEMPORARY: 0x1,
  NODAD: 0x2,
  DADFAILED: 0x8,
  DEPRECATED: 0x20,
  TENTATIVE: 0x40,
} as const;

export const RTA = {
  DST: 1,
  OIF: 4,
  GATEWAY: 5,
  PRIORITY: 6,
  PREFSRC: 7,
  METRICS: 8,
  MULTIPATH: 9,
  TABLE: 15,
  VIA: 18,
  NH_ID: 30,
} as const;
export const NHA = { ID: 1, OIF: 5, GATEWAY: 6 } as const;
export const RTAX_MTU = 2;
export const RTNH_F_ONLINK = 4;
/** RTNH_F_DEAD, RTNH_F_LINKDOWN. */
export const RTNH_F_DOWN = 0x11;
export const RTM_F = { CLONED: 0x200, LOOKUP_TABLE: 0x1000, FIB_MATCH: 0x2000 } as const;

export const NDA = { DST: 1, LLADDR: 2, IFINDEX: 8 } as const;
export const NUD = {
  INCOMPLETE: 0x1,
  STALE: 0x4,
  FAILED: 0x20,
  NOARP: 0x40,
  PERMANENT: 0x80,
} as const;
export const NTF = { SELF: 0x2, PROXY: 0x8 } as const;

export const NDTA = { NAME: 1, PARMS: 6 } as const;
export const NDTPA = { IFINDEX: 1, PROXY_DELAY: 13 } as const;

export const FRA = {
  DST: 1,
  SRC: 2,
  IIFNAME: 3,
  PRIORITY: 6,
  FWMARK: 10,
  TABLE: 15,
  FWMASK: 16,
} as const;
export const FR_ACT_TO_TBL = 1;
export const FIB_RULE_INVERT = 2;

/** Multicast groups of NETLINK_ROUTE (RTNLGRP_*), by our names. */
export const RTNLGRP = {
  link: 1,
  neighbour: 3,
  'ipv4-address': 5,
  'ipv4-route': 7,
  'ipv4-rule': 8,
  'ipv6-address': 9,
  'ipv6-route': 11,
  'ipv6-rule': 19,
  nexthop: 32,
} as const;
