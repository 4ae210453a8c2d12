// Arbitrary values of every kind of set, in the form in which nft lists them.
import type { Field, NamedSet } from '@calico/nftables';
import * as fc from 'fast-check';

export const octet = fc.integer({ min: 1, max: 254 });
export const ipv4 = fc.tuple(octet, octet).map(([a, b]) => `10.${a}.0.${b}`);
export const ipv6 = fc
  .tuple(octet, octet)
  .map(([a, b]) => `fd00:${a.toString(16)}::${b.toString(16)}`);
export const net4 = fc.oneof(
  ipv4,
  octet.map((a) => `10.${a}.0.0/16`),
  fc.constant('192.0.2.64/30'),
);
export const net6 = fc.oneof(
  ipv6,
  octet.map((a) => `fd00:${a.toString(16)}::/48`),
);
export const port = fc.integer({ min: 1, max: 65535 });
export const ports = fc.oneof(
  port.map(String),
  fc
    .tuple(port, port)
    .filter(([a, b]) => a < b)
    .map(([a, b]) => `${a}-${b}`),
);
export type SetShape = Pick<NamedSet, 'kind' | 'key' | 'interval'> & {
  readonly element: fc.Arbitrary<string>;
};
export const SETS: Readonly<Record<string, SetShape>> = {
  'set/ip4': { kind: 'set', key: ['ipv4_addr'], interval: false, element: ipv4 },
  'set/net4': {
    kind: 'set',
    key: ['ipv4_addr'],
    interval: true,
    element: fc.oneof(
      octet.map((a) => `10.${a}.0.0/16`),
      octet.map((a) => `11.0.0.${a}`),
    ),
  },
  'set/ip6': { kind: 'set', key: ['ipv6_addr'], interval: false, element: ipv6 },
  'set/net6': {
    kind: 'set',
    key: ['ipv6_addr'],
    interval: true,
    element: octet.map((a) => `fd00:${a.toString(16)}::/48`),
  },
  'set/ports': {
    kind: 'set',
    key: ['inet_service'],
    interval: true,
    element: fc
      .integer({ min: 0, max: 654 })
      .chain((n) => fc.constantFrom(`${n * 100}`, `${n * 100 + 1}-${n * 100 + 7}`)),
  },
  'named-ports': {
    kind: 'set',
    key: ['ipv4_addr', 'inet_service'],
    interval: false,
    element: fc.tuple(ipv4, port).map((parts) => parts.join(' . ')),
  },
  source4: {
    kind: 'set',
    key: ['ifname', 'ipv4_addr'],
    interval: false,
    element: fc.tuple(octet, ipv4).map(([n, a]) => `cali${n} . ${a}`),
  },
  source6: {
    kind: 'set',
    key: ['ifname', 'ipv6_addr'],
    interval: false,
    element: fc.tuple(octet, ipv6).map(([n, a]) => `cali${n} . ${a}`),
  },
  sources: {
    kind: 'set',
    key: ['ifname', 'ipv4_addr'],
    interval: true,
    element: octet.map((n) => `cali${n} . 10.${n}.0.0/16`),
  },
  'set/from': {
    kind: 'verdict-map',
    key: ['ifname'],
    interval: false,
    element: octet.map((n) => `cali${n}`),
  },
  'classes/from': {
    kind: 'class-map',
    key: ['ifname'],
    interval: false,
    element: octet.map((n) => `cali${n}`),
  },
};

/** Counter maps, and the fields by which they are asked. */
export const LOOKUPS: Readonly<Record<string, SetShape & { readonly fields: readonly Field[] }>> = {
  'lookup/one': {
    kind: 'counter-map',
    key: ['ipv4_addr', 'inet_proto', 'inet_service'],
    interval: false,
    fields: ['ip saddr', 'meta l4proto', 'th dport'],
    element: fc.tuple(ipv4, fc.constantFrom(6, 17), port).map((parts) => parts.join(' . ')),
  },
  'lookup/boxes': {
    kind: 'counter-map',
    key: ['ipv4_addr', 'inet_proto', 'inet_service'],
    interval: true,
    fields: ['ip daddr', 'meta l4proto', 'th sport'],
    element: octet.chain((n) =>
      fc.constantFrom(
        `10.${n}.0.0/16 . 6 . 80-90`,
        `10.${n}.0.0/16 . 17 . 0-65535`,
        `11.0.0.${n} . 0-5 . 7`,
        `12.${n}.0.1-12.${n}.3.9 . 0-255 . 65535`,
      ),
    ),
  },
  'lookup/blocks': {
    kind: 'counter-map',
    key: ['ipv4_addr', 'inet_service'],
    interval: false,
    fields: ['ip saddr & 255.255.0.0', 'tcp dport'],
    element: octet.map((n) => `10.${n}.0.0 . ${n}`),
  },
  'lookup/blocks6': {
    kind: 'counter-map',
    key: ['ipv6_addr'],
    interval: false,
    fields: ['ip6 daddr & ffff:fff0::'],
    element: octet.map((n) => `fd00:${(n * 16).toString(16)}::`),
  },
  'lookup/boxes6': {
    kind: 'counter-map',
    key: ['ipv6_addr', 'inet_service', 'inet_service'],
    interval: true,
    fields: ['ip6 saddr', 'th sport', 'th dport'],
    element: octet.map((n) => `fd00:${n.toString(16)}::/32 . 1-2 . ${n}`),
  },
  'lookup/nets': {
    kind: 'counter-map',
    key: ['ipv4_addr'],
    interval: true,
    fields: ['ip saddr'],
    element: octet.chain((n) => fc.constantFrom(`10.${n}.0.0/16`, `11.${n}.0.1-11.${n}.0.6`)),
  },
  'lookup/ports': {
    kind: 'counter-map',
    key: ['inet_service'],
    interval: true,
    fields: ['tcp dport'],
    element: octet.map((n) => `${n * 200}-${n * 200 + 9}`),
  },
  'lookup/protocols': {
    kind: 'counter-map',
    key: ['inet_proto'],
    interval: false,
    fields: ['meta l4proto'],
    element: octet.map(String),
  },
};
