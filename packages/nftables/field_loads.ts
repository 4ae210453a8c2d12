// How the kernel finds what a match looks at: which expression loads it, into how many bytes, and what has to be
// known of the packet before that makes sense.
import type { MessageWriter } from '@calico/netlink';
import { writeData } from './element_messages.ts';
import { hostOrder, numberOf, valueBytes } from './key_bytes.ts';
import type { Field, KeyType } from './ruleset.ts';
import {
  NFPROTO,
  NFT_CT,
  NFT_FIB,
  NFT_META,
  NFT_PAYLOAD,
  NFTA_EXPR,
  NFTA_LIST_ELEM,
} from './uapi.ts';

const NFTA_META = { DREG: 1, KEY: 2 } as const;
const NFTA_CT = { DREG: 1, KEY: 2 } as const;
const NFTA_PAYLOAD = { DREG: 1, BASE: 2, OFFSET: 3, LEN: 4 } as const;
const NFTA_BITWISE = { SREG: 1, DREG: 2, LEN: 3, MASK: 4, XOR: 5 } as const;
const NFTA_FIB = { DREG: 1, RESULT: 2, FLAGS: 3 } as const;

/** A network protocol and a transport protocol that the packet must have. */
export type Needs = { readonly network?: number; readonly transport?: number };

export type Load = {
  readonly needs: Needs;
  readonly length: number;
  /** Loads the first `bytes` of it; fewer than all only for payload and names. */
  readonly write: (writer: MessageWriter, register: number, bytes: number) => void;
  /** Whether a prefix can be compared by loading fewer bytes. */
  readonly isPayload: boolean;
  readonly value: (text: string) => Uint8Array;
  /** Of values that are prefixes or ranges. */
  readonly type?: KeyType;
  /** Several values are bits of one. */
  readonly isBits?: boolean;
};

const TRANSPORT: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, udplite: 136 };
const CT_STATES: Readonly<Record<string, number>> = {
  invalid: 1,
  established: 2,
  related: 4,
  new: 8,
  untracked: 64,
};
/** IPS_* of nf_conntrack_common.h */
const CT_STATUS: Readonly<Record<string, number>> = { snat: 16, dnat: 32 };
/** RTN_* of rtnetlink.h */
const ADDRESS_TYPES = ['unspec', 'unicast', 'local', 'broadcast', 'anycast', 'multicast'];
const NETWORKS: Readonly<Record<string, number>> = { ipv4: NFPROTO.IPV4, ipv6: NFPROTO.IPV6 };

/** Writes one expression: its name, and what `attributes` writes. */
export function writeExpression(
  writer: MessageWriter,
  name: string,
  attributes?: (writer: MessageWriter) => void,
): void {
  const item = writer.beginNested(NFTA_LIST_ELEM, true);
  writer.attributeString(NFTA_EXPR.NAME, name);
  const data = writer.beginNested(NFTA_EXPR.DATA, true);
  attributes?.(writer);
  writer.endNested(data).endNested(item);
}

export function loadMeta(writer: MessageWriter, key: number, register: number): void {
  writeExpression(writer, 'meta', (into) => {
    into.attributeU32be(NFTA_META.KEY, key).attributeU32be(NFTA_META.DREG, register);
  });
}

export function loadConnection(writer: MessageWriter, key: number, register: number): void {
  writeExpression(writer, 'ct', (into) => {
    into.attributeU32be(NFTA_CT.KEY, key).attributeU32be(NFTA_CT.DREG, register);
  });
}

/** Replaces a register by itself under the mask, with the bits of `xor` turned over. */
export function writeBitwise(
  writer: MessageWriter,
  register: number,
  mask: Uint8Array,
  xor: Uint8Array,
): void {
  writeExpression(writer, 'bitwise', (into) => {
    into.attributeU32be(NFTA_BITWISE.SREG, register).attributeU32be(NFTA_BITWISE.DREG, register);
    into.attributeU32be(NFTA_BITWISE.LEN, mask.length);
    writeData(into, NFTA_BITWISE.MASK, mask);
    writeData(into, NFTA_BITWISE.XOR, xor);
  });
}

/** Throws RangeError for a field that cannot be loaded. */
export function loadOf(field: Field): Load {
  const known = loads.get(field) ?? makeLoad(field);
  loads.set(field, known);
  return known;
}

const loads = new Map<Field, Load>();

function makeLoad(field: Field): Load {
  const [header = '', part = ''] = field.split(' ');
  switch (header) {
    case 'iifname':
      return meta(NFT_META.IIFNAME, 'ifname', 16);
    case 'oifname':
      return meta(NFT_META.OIFNAME, 'ifname', 16);
    case 'meta':
      return part === 'nfproto'
        ? {
            ...meta(NFT_META.NFPROTO, 'inet_proto', 1),
            value: (text) => numberNamed(NETWORKS, text),
          }
        : meta(NFT_META.L4PROTO, 'inet_proto', 1);
    case 'ip':
      return masked(
        field,
        payload({ network: NFPROTO.IPV4 }, 'ipv4_addr', part === 'saddr' ? 12 : 16, 4),
      );
    case 'ip6':
      return masked(
        field,
        payload({ network: NFPROTO.IPV6 }, 'ipv6_addr', part === 'saddr' ? 8 : 24, 16),
      );
    case 'icmp':
      return icmp({ network: NFPROTO.IPV4, transport: 1 }, part);
    case 'icmpv6':
      return icmp({ network: NFPROTO.IPV6, transport: 58 }, part);
    case 'ct':
      return part === 'state' ? bits(NFT_CT.STATE, CT_STATES) : bits(NFT_CT.STATUS, CT_STATUS);
    case 'fib':
      return fib(field);
    default:
      return ports(header, part);
  }
}

function meta(key: number, type: KeyType, length: number): Load {
  return {
    needs: {},
    length,
    isPayload: false,
    type,
    value: (text) => valueBytes(type, text),
    write: (writer, register) => loadMeta(writer, key, register),
  };
}

function payload(needs: Needs, type: KeyType, offset: number, length: number): Load {
  const isNetwork = type === 'ipv4_addr' || type === 'ipv6_addr';
  const base = isNetwork ? NFT_PAYLOAD.NETWORK_HEADER : NFT_PAYLOAD.TRANSPORT_HEADER;
  return {
    needs,
    length,
    isPayload: true,
    type,
    value: (text) => valueBytes(type, text),
    write: (writer, register, bytes) =>
      writeExpression(writer, 'payload', (into) => {
        into.attributeU32be(NFTA_PAYLOAD.DREG, register).attributeU32be(NFTA_PAYLOAD.BASE, base);
        into.attributeU32be(NFTA_PAYLOAD.OFFSET, offset).attributeU32be(NFTA_PAYLOAD.LEN, bytes);
      }),
  };
}

/** With what stands behind the field's " & ". */
function masked(field: Field, load: Load): Load {
  const [, mask] = field.split(' & ');
  if (mask === undefined) return load;
  const value = load.value(mask);
  return {
    ...load,
    isPayload: false,
    write: (writer, register) => {
      load.write(writer, register, load.length);
      writeBitwise(writer, register, value, new Uint8Array(value.length));
    },
  };
}

function icmp(needs: Needs, part: string): Load {
  return payload(needs, 'inet_proto', part === 'type' ? 0 : 1, 1);
}

function ports(header: string, part: string): Load {
  const transport = TRANSPORT[header];
  if (transport === undefined && header !== 'th') {
    throw new RangeError(`Cannot encode field "${header} ${part}": it is not known`);
  }
  const needs = transport === undefined ? {} : { transport };
  return payload(needs, 'inet_service', part === 'sport' ? 0 : 2, 2);
}

function bits(key: number, names: Readonly<Record<string, number>>): Load {
  return {
    needs: {},
    length: 4,
    isPayload: false,
    isBits: true,
    value: (text) =>
      hostOrder(text.split(',').reduce((sum, one) => sum | (numberNamed(names, one)[0] ?? 0), 0)),
    write: (writer, register) => loadConnection(writer, key, register),
  };
}

function fib(field: Field): Load {
  const flags =
    (field.includes('saddr') ? NFT_FIB.SADDR : NFT_FIB.DADDR) |
    (field.includes(' . oif') ? NFT_FIB.OIF : 0);
  return {
    needs: {},
    length: 4,
    isPayload: false,
    value: (text) => hostOrder(numberOf(String(ADDRESS_TYPES.indexOf(text)), 255)),
    write: (writer, register) =>
      writeExpression(writer, 'fib', (into) => {
        into.attributeU32be(NFTA_FIB.FLAGS, flags);
        into.attributeU32be(NFTA_FIB.RESULT, NFT_FIB.RESULT_ADDRTYPE);
        into.attributeU32be(NFTA_FIB.DREG, register);
      }),
  };
}

function numberNamed(names: Readonly<Record<string, number>>, text: string): Uint8Array {
  const value = names[text];
  if (value !== undefined) return Uint8Array.of(value);
  throw new RangeError(`Cannot encode "${text}": ${Object.keys(names).join(', ')} are accepted`);
}
