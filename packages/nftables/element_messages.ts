// Elements of sets and maps as nf_tables messages. The kernel keeps an interval as two elements: its start, and
// behind its end one with a flag; intervals of concatenations are one element with a second key.
import type { MessageWriter } from '@calico/netlink';
import { hostOrder, keyBytes, keyInterval, successor } from './key_bytes.ts';
import type { Command, ElementValue, Verdict } from './ruleset.ts';
import {
  NFT_MSG,
  NFT_SET_ELEM_INTERVAL_END,
  NFTA_DATA,
  NFTA_LIST_ELEM,
  NFTA_SET_ELEM,
  NFTA_SET_ELEM_LIST,
  NFTA_VERDICT,
  NLM_F,
  UDATA,
} from './uapi.ts';

export type ElementCommand = Extract<Command, { kind: 'add-elements' | 'delete-elements' }>;

/** Starts a message to the table; answers the writer. */
export type BeginMessage = (type: number, flags: number) => MessageWriter;

const VERDICT_CODES: Readonly<Record<string, number>> = {
  drop: 0,
  accept: 1,
  jump: -3 >>> 0,
  goto: -4 >>> 0,
  return: -5 >>> 0,
};
const COUNTER = 'counter ';
const CLASS = 'class ';
/** An attribute's length has 16 bits; one interval takes at most some 800 bytes, mostly the name of its chain. */
const LIST_BYTES = 64_000;
/** Of an interval that has no end, so that libnftables lists it to the last value. */
const INTERVAL_OPEN = Uint8Array.of(UDATA.ELEMENT_FLAGS, 4, ...hostOrder(1));

export function writeElements(begin: BeginMessage, command: ElementCommand): void {
  const isAddition = command.kind === 'add-elements';
  const [type, flags] = isAddition ? [NFT_MSG.NEWSETELEM, NLM_F.CREATE] : [NFT_MSG.DELSETELEM, 0];
  const { elements } = command;
  for (let next = 0; next < elements.length; ) {
    const writer = begin(type, flags);
    writer.attributeString(NFTA_SET_ELEM_LIST.SET, command.set);
    const list = writer.beginNested(NFTA_SET_ELEM_LIST.ELEMENTS, true);
    const end = writer.position + LIST_BYTES - 1600;
    for (; next < elements.length && writer.position < end; next++) {
      const [element, value] = elements[next] as (typeof elements)[number];
      writeElement(writer, command, element, isAddition ? value : undefined);
    }
    writer.endNested(list).end();
  }
}

function writeElement(
  writer: MessageWriter,
  { key, interval, kind }: ElementCommand,
  element: string,
  value: ElementValue,
): void {
  if (!interval) return writeOne(writer, keyBytes(key, element), { value });
  const { first, last } = keyInterval(key, element);
  if (key.length > 1) return writeOne(writer, first, { value, keyEnd: last });
  const behind = successor(last);
  const isOpen = behind === undefined && kind === 'add-elements';
  writeOne(writer, first, { value, ...(isOpen ? { userData: INTERVAL_OPEN } : {}) });
  if (behind !== undefined) writeOne(writer, behind, { flags: NFT_SET_ELEM_INTERVAL_END });
}

type ElementParts = {
  readonly value?: ElementValue;
  readonly keyEnd?: Uint8Array;
  readonly flags?: number;
  readonly userData?: Uint8Array;
};

function writeOne(
  writer: MessageWriter,
  key: Uint8Array,
  { value, keyEnd, flags, userData }: ElementParts,
): void {
  const item = writer.beginNested(NFTA_LIST_ELEM, true);
  if (flags !== undefined) writer.attributeU32be(NFTA_SET_ELEM.FLAGS, flags);
  writeData(writer, NFTA_SET_ELEM.KEY, key);
  if (keyEnd !== undefined) writeData(writer, NFTA_SET_ELEM.KEY_END, keyEnd);
  if (value?.startsWith(COUNTER)) {
    writer.attributeString(NFTA_SET_ELEM.OBJREF, value.slice(COUNTER.length));
  } else if (value?.startsWith(CLASS)) {
    writeData(writer, NFTA_SET_ELEM.DATA, classBytes(value.slice(CLASS.length)));
  } else if (value !== undefined) writeVerdict(writer, NFTA_SET_ELEM.DATA, value as Verdict);
  if (userData !== undefined) writer.attributeBytes(NFTA_SET_ELEM.USERDATA, userData);
  writer.endNested(item);
}

/** A mark of one, which rules compare, and the name of the class. */
function classBytes(name: string): Uint8Array {
  return keyBytes(['mark', 'ifname'], `1 . ${name}`);
}

/** Attribute `type` with a value in it. */
export function writeData(writer: MessageWriter, type: number, value: Uint8Array): void {
  const data = writer.beginNested(type, true);
  writer.attributeBytes(NFTA_DATA.VALUE, value).endNested(data);
}

/** Attribute `type` with a verdict in it. */
export function writeVerdict(writer: MessageWriter, type: number, verdict: Verdict): void {
  const [kind = '', chain] = verdict.split(' ');
  const data = writer.beginNested(type, true);
  const nested = writer.beginNested(NFTA_DATA.VERDICT, true);
  writer.attributeU32be(NFTA_VERDICT.CODE, VERDICT_CODES[kind] ?? 0);
  if (chain !== undefined) writer.attributeString(NFTA_VERDICT.CHAIN, chain);
  writer.endNested(nested).endNested(data);
}
