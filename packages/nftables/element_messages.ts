// Changes of set elements as nf_tables messages, without libnftables: that reads the whole ruleset of the namespace
// into its cache before each command, while the kernel needs microseconds for an element.
// Linux: include/uapi/linux/netfilter/{nf_tables,nfnetlink}.h
import { addressBytes, parseAddress } from '@calico/ip';
import type { MessageWriter } from '@calico/netlink';
import type { Command, KeyType, Transaction, Verdict } from './ruleset.ts';

type ElementCommand = Extract<Command, { kind: 'add-elements' | 'delete-elements' }>;

const NLM_F = { REQUEST: 1, ACK: 4, CREATE: 0x400 } as const;
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG = { NEWSETELEM: 12, DELSETELEM: 14 } as const;
const NFPROTO_INET = 1;
const NFTA_SET_ELEM_LIST = { TABLE: 1, SET: 2, ELEMENTS: 3 } as const;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM = { KEY: 1, DATA: 2 } as const;
const NFTA_DATA = { VALUE: 1, VERDICT: 2 } as const;
const NFTA_VERDICT = { CODE: 1, CHAIN: 2 } as const;
const VERDICT_CODES: Readonly<Record<string, number>> = {
  drop: 0,
  accept: 1,
  jump: -3 >>> 0,
  goto: -4 >>> 0,
  return: -5 >>> 0,
};
const IFNAMSIZ = 16;
/** An attribute's length has 16 bits; an element takes at most some 330 bytes, mostly its chain's name. */
const ELEMENTS_PER_MESSAGE = 150;

/**
 * Whether the transaction changes nothing but elements of hash sets and maps. Intervals are kept by the kernel as
 * separate starts and ends, which libnftables knows how to write.
 */
export function isElementsOnly(transaction: Transaction): transaction is readonly ElementCommand[] {
  return transaction.every(
    (command) =>
      (command.kind === 'add-elements' || command.kind === 'delete-elements') && !command.interval,
  );
}

/** One batch; the last message's sequence number is answered, with it all others are. */
export function writeElements(
  writer: MessageWriter,
  table: string,
  transaction: readonly ElementCommand[],
): number {
  let sequence = 1;
  writeBatchMark(writer, NFNL_MSG_BATCH_BEGIN, sequence++);
  for (const command of transaction) {
    for (let at = 0; at < command.elements.length; at += ELEMENTS_PER_MESSAGE) {
      const elements = command.elements.slice(at, at + ELEMENTS_PER_MESSAGE);
      writeMessage(writer, table, { ...command, elements }, sequence++);
    }
  }
  writeBatchMark(writer, NFNL_MSG_BATCH_END, sequence);
  writer.addFlags(NLM_F.ACK);
  return sequence;
}

function writeBatchMark(writer: MessageWriter, type: number, sequence: number): void {
  writer.begin(type, NLM_F.REQUEST, sequence);
  // struct nfgenmsg: family, version, the subsystem in network order.
  writer.u8(0).u8(0).u8(0).u8(NFNL_SUBSYS_NFTABLES).end();
}

function writeMessage(
  writer: MessageWriter,
  table: string,
  { kind, set, key, elements }: ElementCommand,
  sequence: number,
): void {
  const isAddition = kind === 'add-elements';
  const type = isAddition ? NFT_MSG.NEWSETELEM : NFT_MSG.DELSETELEM;
  const flags = NLM_F.REQUEST | (isAddition ? NLM_F.CREATE : 0);
  writer.begin((NFNL_SUBSYS_NFTABLES << 8) | type, flags, sequence);
  writer.u8(NFPROTO_INET).u8(0).u8(0).u8(0);
  writer.attributeString(NFTA_SET_ELEM_LIST.TABLE, table);
  writer.attributeString(NFTA_SET_ELEM_LIST.SET, set);
  const list = writer.beginNested(NFTA_SET_ELEM_LIST.ELEMENTS, true);
  for (const [element, verdict] of elements) {
    const item = writer.beginNested(NFTA_LIST_ELEM, true);
    const keyData = writer.beginNested(NFTA_SET_ELEM.KEY, true);
    writer.attributeBytes(NFTA_DATA.VALUE, keyBytes(key, element));
    writer.endNested(keyData);
    if (verdict !== undefined && isAddition) writeVerdict(writer, verdict);
    writer.endNested(item);
  }
  writer.endNested(list).end();
}

function writeVerdict(writer: MessageWriter, verdict: Verdict): void {
  const [kind = '', chain] = verdict.split(' ');
  const data = writer.beginNested(NFTA_SET_ELEM.DATA, true);
  const nested = writer.beginNested(NFTA_DATA.VERDICT, true);
  writer.attributeU32be(NFTA_VERDICT.CODE, VERDICT_CODES[kind] ?? 0);
  if (chain !== undefined) writer.attributeString(NFTA_VERDICT.CHAIN, chain);
  writer.endNested(nested).endNested(data);
}

/** The key as the kernel compares it: in a concatenation every part takes a multiple of four bytes. */
export function keyBytes(key: readonly KeyType[], element: string): Uint8Array {
  const parts = key.length === 1 ? [element] : element.split(' . ');
  if (parts.length !== key.length) {
    throw new RangeError(`Cannot encode element "${element}": the key has ${key.length} parts`);
  }
  const encoded = key.map((type, index) => partBytes(type, parts[index] ?? ''));
  const [only] = encoded;
  if (encoded.length === 1 && only !== undefined) return only;
  const total = encoded.reduce((length, part) => length + padded(part.length), 0);
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const part of encoded) {
    bytes.set(part, at);
    at += padded(part.length);
  }
  return bytes;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

function partBytes(type: KeyType, text: string): Uint8Array {
  switch (type) {
    case 'ipv4_addr':
    case 'ipv6_addr':
      return addressBytes(parseAddress(text));
    case 'ifname': {
      const bytes = new Uint8Array(IFNAMSIZ);
      bytes.set(new TextEncoder().encode(text).subarray(0, IFNAMSIZ - 1));
      return bytes;
    }
    case 'inet_proto':
      return Uint8Array.of(numberOf(text, 0xff));
    case 'inet_service': {
      const port = numberOf(text, 0xffff);
      return Uint8Array.of(port >> 8, port & 0xff);
    }
    case 'mark':
      // The packet mark is compared in the host's byte order.
      return new Uint8Array(Uint32Array.of(numberOf(text, 0xffffffff)).buffer);
    default:
      return type satisfies never;
  }
}

function numberOf(text: string, largest: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= largest) return number;
  throw new RangeError(`Cannot encode element "${text}": 0 to ${largest} is accepted`);
}
