// Bodies of messages as a Linux 6.18 kernel sent them (struct nlmsghdr and, in links, counters left out),
// with the commands that made the objects. For tests only.
import type { FdbEntry, InterfaceAddress, Link, Neighbour, Route, Rule } from './types.ts';

const ipv4 = (text: string) => ({
  family: 4 as const,
  value: text.split('.').reduce((value, part) => value * 256n + BigInt(part), 0n),
});
const prefix = (text: string, length: number) => ({ ...ipv4(text), length });

export type Golden<T> = { readonly made: string; readonly hex: string; readonly value: T };

export const LINKS: readonly Golden<Link>[] = [
  {
    made: 'ip link add vxlan.calico address 66:aa:bb:cc:dd:ee mtu 1450 type vxlan id 4096 dstport 4789 local 192.168.80.102 dev ens33 nolearning',
    hex: '000001000400000043100100000000001100030076786c616e2e63616c69636f0000000008000d00e803000005001000000000000500110000000000050043000000000008000400aa050000080032004400000008003300ffff000008001b000000000008001e000000000008003d000000000008001f000100000008002800ffff0000080029000000010008003a000000010008003f0000000100080040000000010008003b00f8ff070008003c00ffff0000080042000000000008002000010000000500210001000000080023000000000008002f000000000008003000000000000600440040000000060045000000000005002700000000000a00010066aabbccddee00000a000200ffffffffffff00000c002b000500020000000000e80012000a00010076786c616e000000d80002000800010000100000080003000300000008000400c0a85066050005000000000005001c0000000000050006000000000005001d000000000008001a00000000000800200000000000050007000000000005000b000000000005000c000000000005000d000000000005000e00000000000500190000000000080008002c010000080009000000000006000f0012b500000500120001000000050013000000000005001400000000000500150000000000050016000000000005001f000100000008000a00000000000c002100f7ffffff000000ff0c0006006e6f717565756500',
    value: {
      index: 4,
      name: 'vxlan.calico',
      kind: 'vxlan',
      mac: '66:aa:bb:cc:dd:ee',
      mtu: 1450,
      up: true,
      running: true,
      loopback: false,
      linkIndex: undefined,
      vxlan: {
        vni: 4096,
        port: 4789,
        local: ipv4('192.168.80.102'),
        parentIndex: 3,
        learning: false,
      },
    },
  },
  {
    made: 'ip link add ens33 type veth peer name p0',
    hex: '000001000300000043100100000000000a000300656e73333300000008000d00e803000005001000060000000500110000000000050043000000000008000400dc05000008002000020000000a00010016607248a5dc00000a000200ffffffffffff00001000120009000100766574680000000008000500020000000c0006006e6f717565756500',
    value: {
      index: 3,
      name: 'ens33',
      kind: 'veth',
      mac: '16:60:72:48:a5:dc',
      mtu: 1500,
      up: true,
      running: true,
      loopback: false,
      linkIndex: 2,
      vxlan: undefined,
    },
  },
];

export const ADDRESSES: readonly Golden<InterfaceAddress>[] = [
  {
    made: 'ip addr add 192.168.80.102/24 dev ens33',
    hex: '021880000300000008000100c0a8506608000200c0a850660a000300656e733333000000080008008000000014000600ffffffffffffffff67c0020067c00200',
    value: {
      interfaceIndex: 3,
      address: ipv4('192.168.80.102'),
      prefixLength: 24,
      scope: 'global',
    },
  },
];

export const ROUTES: readonly Golden<Route>[] = [
  {
    made: 'ip route add 10.9.0.0/16 proto 80 table 1000 metric 512 mtu 1450 nexthop via 192.168.80.101 dev ens33 weight 1 nexthop via 192.168.80.103 dev ens33 weight 3 onlink',
    hex: '02100000fc5000010000000008000f00e8030000080001000a09000008000600000200000c00080008000200aa05000024000900100000000300000008000500c0a85065100004020300000008000500c0a85067',
    value: {
      destination: prefix('10.9.0.0', 16),
      type: 'unicast',
      table: 1000,
      protocol: 80,
      scope: 'global',
      metric: 512,
      mtu: 1450,
      nextHops: [
        { gateway: ipv4('192.168.80.101'), interfaceIndex: 3, weight: 1 },
        { gateway: ipv4('192.168.80.103'), interfaceIndex: 3, onlink: true, weight: 3 },
      ],
    },
  },
  {
    made: 'ip route replace 10.244.85.192/26 via 192.168.80.101 dev ens33 proto bird onlink',
    hex: '021a0000fe0c00010400000008000f00fe000000080001000af455c008000500c0a850650800040003000000',
    value: {
      destination: prefix('10.244.85.192', 26),
      type: 'unicast',
      table: 254,
      protocol: 12,
      scope: 'global',
      nextHops: [{ gateway: ipv4('192.168.80.101'), interfaceIndex: 3, onlink: true }],
    },
  },
  {
    made: 'ip addr add 192.168.80.102/24 dev ens33',
    hex: '02180000fe02fd010000000008000f00fe00000008000100c0a8500008000700c0a850660800040003000000',
    value: {
      destination: prefix('192.168.80.0', 24),
      type: 'unicast',
      table: 254,
      protocol: 2,
      scope: 'link',
      source: ipv4('192.168.80.102'),
      nextHops: [{ interfaceIndex: 3 }],
    },
  },
];

export const NEIGHBOURS: readonly Golden<Neighbour>[] = [
  {
    made: 'ip neigh replace 10.244.85.192 lladdr 66:11:22:33:44:55 dev vxlan.calico nud permanent',
    hex: '020000000400000080000001080001000af455c00a000200661122334455000008000400000000001400030015000000150000001500000000000000',
    value: {
      interfaceIndex: 4,
      address: ipv4('10.244.85.192'),
      mac: '66:11:22:33:44:55',
      permanent: true,
    },
  },
];

export const FDB: readonly Golden<FdbEntry>[] = [
  {
    made: 'bridge fdb replace 66:11:22:33:44:55 dev vxlan.calico dst 192.168.80.101 self permanent',
    hex: '0700000004000000c00002010a000200661122334455000008000100c0a850651400030000000000180000001800000000000000',
    value: { interfaceIndex: 4, mac: '66:11:22:33:44:55', destination: ipv4('192.168.80.101') },
  },
];

export const RULES: readonly Golden<Rule>[] = [
  {
    made: 'ip rule add not from 10.1.0.0/16 to 10.2.0.0/16 fwmark 0x100/0xff00 iif ens33 lookup 300 pref 101',
    hex: '02101000fc0000010200000008000f002c01000008000e00ffffffff05001500000000000a000300656e733333000000080006006500000008000a00000100000800100000ff0000080001000a020000080002000a010000',
    value: {
      family: 4,
      priority: 101,
      table: 300,
      source: prefix('10.1.0.0', 16),
      destination: prefix('10.2.0.0', 16),
      mark: { value: 0x100, mask: 0xff00 },
      inputInterface: 'ens33',
      invert: true,
    },
  },
  {
    made: 'the kernel',
    hex: '02000000fe0000010000000008000f00fe00000008000e00ffffffff050015000200000008000600fe7f0000',
    value: { family: 4, priority: 32766, table: 254 },
  },
];
