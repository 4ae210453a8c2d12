// Whether a named set of the ruleset holds something, without a look at every element.
import { lastAddress, parsePrefix } from '@calico/ip';
import type { NamedSet } from '../compiler/ruleset.ts';
import { covers } from './covers.ts';

type Interval = { readonly first: bigint; readonly last: bigint };
type Intervals = {
  /** Sorted, without overlaps. */
  readonly known: readonly Interval[];
  /** Elements of a concatenation, of which a part is a prefix or range, by their first part. */
  readonly joined: ReadonlyMap<string, readonly (readonly string[])[]>;
};

const indexes = new WeakMap<NamedSet['elements'], Intervals>();

/** `texts` are the parts of the key; `number` is the value of a key of one part, when it is one. */
export function contains(
  { elements, interval }: NamedSet,
  texts: readonly string[],
  number: bigint | undefined,
): boolean {
  if (elements.has(texts.length === 1 ? (texts[0] ?? '') : texts.join(' . '))) return true;
  if (!interval) return false;
  const { known, joined } = indexOf(elements);
  if (number !== undefined && texts.length === 1) return isWithin(known, number);
  const candidates = joined.get(texts[0] ?? '') ?? [];
  return candidates.some((parts) =>
    parts.every((part, index) => index === 0 || covers(part, texts[index] ?? '')),
  );
}

function indexOf(elements: NamedSet['elements']): Intervals {
  const before = indexes.get(elements);
  if (before !== undefined) return before;
  const parts = [...elements.keys()].map((element) => element.split(' . '));
  const single = parts.flatMap(([only, ...more]) =>
    more.length > 0 ? [] : [intervalOf(only ?? '')],
  );
  const index = {
    known: single.toSorted((a, b) => (a.first < b.first ? -1 : Number(a.first > b.first))),
    joined: Map.groupBy(
      parts.filter(({ length }) => length > 1),
      ([first]) => first ?? '',
    ),
  };
  indexes.set(elements, index);
  return index;
}

function intervalOf(element: string): Interval {
  const [from = '', to] = element.split('-');
  if (to !== undefined) return { first: intervalOf(from).first, last: intervalOf(to).last };
  if (/^\d+$/.test(element)) return { first: BigInt(element), last: BigInt(element) };
  const prefix = parsePrefix(element);
  return { first: prefix.value, last: lastAddress(prefix).value };
}

function isWithin(known: readonly Interval[], number: bigint): boolean {
  let [low, high] = [0, known.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((known[middle]?.last ?? 0n) < number) low = middle + 1;
    else high = middle;
  }
  const found = known[low];
  return found !== undefined && found.first <= number;
}
