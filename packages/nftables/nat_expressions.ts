// Translation of addresses and ports: values are put into registers first.

import { parseAddress } from '@calico/ip';
import type { MessageWriter } from '@calico/netlink';
import { writeData } from './element_messages.ts';
import { writeExpression } from './field_loads.ts';
import { type Interval, valueBytes, valueInterval } from './key_bytes.ts';
import type { Statement } from './ruleset.ts';
import { NF_NAT_RANGE_PROTO_SPECIFIED, NFPROTO } from './uapi.ts';

const NFTA_IMMEDIATE = { DREG: 1, DATA: 2 } as const;
const NFTA_NAT = { TYPE: 1, FAMILY: 2, ADDRESS: 3, PORT_MIN: 5, PORT_MAX: 6, FLAGS: 7 } as const;
const NFTA_MASQ = { FLAGS: 1, PORT_MIN: 2, PORT_MAX: 3 } as const;
const NFT_NAT_SNAT = 0;

type Translation = Extract<Statement, { kind: 'masquerade' | 'snat' }>;

export function writeTranslation(writer: MessageWriter, statement: Translation): void {
  const isSnat = statement.kind === 'snat';
  const ports = statement.ports ? valueInterval('inet_service', statement.ports) : undefined;
  const firstPort = isSnat ? 2 : 1;
  if (isSnat) writeImmediate(writer, 1, addressOf(statement.address).bytes);
  if (ports) writePorts(writer, ports, firstPort);
  const attributes = isSnat ? NFTA_NAT : NFTA_MASQ;
  writeExpression(writer, isSnat ? 'nat' : 'masq', (into) => {
    if (isSnat) {
      into.attributeU32be(NFTA_NAT.TYPE, NFT_NAT_SNAT);
      into.attributeU32be(NFTA_NAT.FAMILY, addressOf(statement.address).family);
      into.attributeU32be(NFTA_NAT.ADDRESS, 1);
    }
    if (ports === undefined) return;
    into.attributeU32be(attributes.PORT_MIN, firstPort);
    if (isRange(ports)) into.attributeU32be(attributes.PORT_MAX, firstPort + 1);
    into.attributeU32be(attributes.FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
  });
}

function writePorts(writer: MessageWriter, ports: Interval, register: number): void {
  writeImmediate(writer, register, ports.first);
  if (isRange(ports)) writeImmediate(writer, register + 1, ports.last);
}

function isRange({ first, last }: Interval): boolean {
  return first.join() !== last.join();
}

function writeImmediate(writer: MessageWriter, register: number, value: Uint8Array): void {
  writeExpression(writer, 'immediate', (into) => {
    into.attributeU32be(NFTA_IMMEDIATE.DREG, register);
    writeData(into, NFTA_IMMEDIATE.DATA, value);
  });
}

function addressOf(text: string): { readonly family: number; readonly bytes: Uint8Array } {
  const { family } = parseAddress(text);
  return family === 4
    ? { family: NFPROTO.IPV4, bytes: valueBytes('ipv4_addr', text) }
    : { family: NFPROTO.IPV6, bytes: valueBytes('ipv6_addr', text) };
}
