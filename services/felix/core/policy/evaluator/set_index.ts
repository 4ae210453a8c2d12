// Which element of a named set or map stands for something, without a look at every element.
import { lastAddress, parsePrefix } from '@calico/ip';
import type { NamedSet } from '../compiler/ruleset.ts';
import { covers } from './covers.ts';

type Interval = { readonly first: bigint; readonly last: bigint; readonly element: string };
type Box = { readonly element: string; readonly parts: readonly Interval[] };
type Intervals = {
  /** Sorted, without overlaps. */
  readonly known: readonly Interval[];
  /** Elements of a concatenation that begins with an interface, by that: the rest may be prefixes or ranges. */
  readonly joined: ReadonlyMap<string, readonly (readonly string[])[]>;
  /** Elements of a concatenation of addresses and numbers. */
  readonly boxes: readonly Box[];
};

const indexes = new WeakMap<NamedSet['elements'], Intervals>();

/** A part of a key: as text, and as a number unless it is a name. */
export type KeyPart = { readonly text: string; readonly number: bigint | undefined };

/** The element that covers the key; undefined: none. */
export function elementFor(set: NamedSet, key: readonly KeyPart[]): string | undefined {
  const { elements, interval } = set;
  const exact = key.map(({ text }) => text).join(' . ');
  if (elements.has(exact)) return exact;
  if (!interval) return undefined;
  const { known, joined, boxes } = indexOf(set);
  const [first] = key;
  if (first?.number === undefined) {
    return joined
      .get(first?.text ?? '')
      ?.find((parts) => parts.every((part, index) => covers(part, key[index]?.text ?? '')))
      ?.join(' . ');
  }
  if (key.length === 1) return within(known, first.number);
  return boxes.find(({ parts }) => parts.every((part, index) => holds(part, key[index]?.number)))
    ?.element;
}

function indexOf({ elements, key }: NamedSet): Intervals {
  const before = indexes.get(elements);
  if (before !== undefined) return before;
  const all = [...elements.keys()];
  const index = { known: [], joined: new Map(), boxes: [], ...intervalsOf(all, key) };
  indexes.set(elements, index);
  return index;
}

function intervalsOf(elements: readonly string[], key: NamedSet['key']): Partial<Intervals> {
  if (key[0] === 'ifname') {
    const parts = elements.map((element) => element.split(' . '));
    return { joined: Map.groupBy(parts, ([first]) => first ?? '') };
  }
  if (key.length === 1) {
    const known = elements.map(intervalOf);
    return {
      known: known.toSorted((a, b) => (a.first < b.first ? -1 : Number(a.first > b.first))),
    };
  }
  const boxes = elements.map((element) => ({
    element,
    parts: element.split(' . ').map(intervalOf),
  }));
  return { boxes };
}

function intervalOf(element: string): Interval {
  const [from = '', to] = element.split('-');
  if (to !== undefined) {
    return { first: intervalOf(from).first, last: intervalOf(to).last, element };
  }
  if (/^\d+$/.test(element)) return { first: BigInt(element), last: BigInt(element), element };
  const prefix = parsePrefix(element);
  return { first: prefix.value, last: lastAddress(prefix).value, element };
}

function holds({ first, last }: Interval, number: bigint | undefined): boolean {
  return number !== undefined && first <= number && number <= last;
}

function within(known: readonly Interval[], number: bigint): string | undefined {
  let [low, high] = [0, known.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((known[middle]?.last ?? 0n) < number) low = middle + 1;
    else high = middle;
  }
  const found = known[low];
  return found !== undefined && found.first <= number ? found.element : undefined;
}
