// Rules of one action as one look-up: the columns in which they differ make an element, and each element leads to the
// counter of its rule.
//
//   allow 10.0.0.0/8 tcp 80       ┐
//   allow 192.0.2.1  tcp 80, 443  ├─▶ ip saddr . tcp dport → rule 1, rule 2, rule 3
//   allow 10.1.0.0/16 tcp 22      ┘
import type { Family } from '@calico/ip';
import type { Selector } from '@calico/selector';
import { addressRangeText } from '../address_ranges.ts';
import { PORT_PROTOCOLS } from '../port_compiler.ts';
import type { Field, KeyType } from '../ruleset.ts';
import { type AddressField, masked, type Term } from '../terms.ts';
import { blocksOf } from './blocks.ts';
import { disjointBoxes } from './boxes.ts';
import { COLUMNS, type Column, columnOf, hasPorts, type Range, type Shape } from './shape.ts';

/** Elements of all rules of a look-up: every two are compared here, and the kernel takes milliseconds to change so many. */
const MOST_BOXES = 1024;
/** Ranges are cut into so many blocks each on average; where they would be more they stay ranges. */
const BLOCKS_OF_A_BOX = 16;
/** Numbers of one column that are written one by one instead of as ranges. */
const MOST_SINGLES = 16;

/** A conjunction that is to be merged with others. */
export type Part = {
  readonly terms: readonly Term[];
  readonly shape: Shape;
  /** Number of its rule, from 1. */
  readonly rule: number;
};

/** Addresses that a selector finds, each before each of the suffixes: " . 6 . 80". */
export type Claim = {
  readonly rule: number;
  readonly selector: Selector;
  readonly suffixes: readonly string[];
};

export type Lookup = {
  /** What all parts have in common: conditions before the look-up. */
  readonly common: readonly Term[];
  readonly fields: readonly Field[];
  readonly key: readonly KeyType[];
  readonly interval: boolean;
  readonly content:
    | { readonly kind: 'listed'; readonly elements: ReadonlyMap<string, number> }
    /** Of two claims for an element the first counts. */
    | { readonly kind: 'selected'; readonly family: Family; readonly claims: readonly Claim[] };
};

/** Undefined: they do not differ, or would need too many elements. */
export function lookupOf(parts: readonly Part[]): Lookup | undefined {
  const [first] = parts;
  if (first === undefined) return undefined;
  const columns = varyingColumns(parts);
  return first.shape.selected === undefined
    ? listedLookup(parts, first, columns)
    : selectedLookup(parts, first, columns);
}

/** How many values a column may have; undefined when they are too many to be written one by one. */
export function singlesIn(ranges: readonly Range[]): number | undefined {
  let count = 0;
  for (const { first, last } of ranges) count += first === last ? 1 : Number(last - first) + 1;
  return count <= MOST_SINGLES ? count : undefined;
}

function singlesOf(ranges: readonly Range[]): readonly bigint[] {
  return ranges.flatMap(({ first, last }) =>
    first === last
      ? [first]
      : Array.from({ length: Number(last - first) + 1 }, (_, index) => first + BigInt(index)),
  );
}

/** Those in which the parts differ. A port without its protocol says nothing. */
function varyingColumns(parts: readonly Part[]): Column[] {
  const varying = new Set(COLUMNS.filter((column) => differs(parts, column)));
  if (varying.has('protocol')) {
    for (const { shape } of parts) {
      for (const port of ['sport', 'dport'] as const) {
        if (shape.columns.has(port)) varying.add(port);
      }
    }
  }
  return COLUMNS.filter((column) => varying.has(column));
}

function differs([first, ...others]: readonly Part[], column: Column): boolean {
  const own = first?.shape.columns.get(column);
  return others.some(({ shape }) => !sameRanges(shape.columns.get(column), own));
}

function sameRanges(a: readonly Range[] = [], b: readonly Range[] = []): boolean {
  return (
    a.length === b.length &&
    a.every(({ first, last }, index) => first === b[index]?.first && last === b[index].last)
  );
}

/** The same for the same ranges; '' for anything. */
export function rangesText(ranges: readonly Range[] | undefined): string {
  return (ranges ?? []).map(({ first, last }) => `${first}-${last}`).join();
}

function listedLookup(
  parts: readonly Part[],
  first: Part,
  columns: readonly Column[],
): Lookup | undefined {
  if (columns.length === 0) return undefined;
  const { family } = first.shape;
  const products = parts.map(({ shape }) =>
    columns.map((column) => shape.columns.get(column) ?? [anything(column, family)]),
  );
  // Seldom does so much of them lie within others that it is worth a try.
  if (boxesIn(products) > MOST_BOXES) return undefined;
  const boxes = disjointBoxes(products, MOST_BOXES);
  if (boxes === undefined) return undefined;
  const hasRanges = boxes.some(({ box }) => box.some((range) => range.first !== range.last));
  const most = Math.min(MOST_BOXES, BLOCKS_OF_A_BOX * boxes.length);
  const blocks = hasRanges ? blocksOf(boxes, columns, family, most) : undefined;
  const elements = new Map(
    (blocks?.boxes ?? boxes).map(({ owner, box }) => [
      box.map((range, index) => rangeText(columns[index] as Column, range, family)).join(' . '),
      parts[owner]?.rule ?? 0,
    ]),
  );
  const { fields, key } = fieldsAndKey(first, columns, family);
  return {
    fields: fields.map((field, index) => {
      const length = blocks?.lengths[index];
      // Only columns of addresses have lengths.
      return length === undefined ? field : masked(field as AddressField, length);
    }),
    key,
    common: commonTerms(first, columns),
    interval: hasRanges && blocks === undefined,
    content: { kind: 'listed', elements },
  };
}

function boxesIn(products: readonly (readonly (readonly Range[])[])[]): number {
  return products.reduce(
    (sum, product) => sum + product.reduce((size, { length }) => size * length, 1),
    0,
  );
}

function selectedLookup(
  parts: readonly Part[],
  first: Part,
  columns: readonly Column[],
): Lookup | undefined {
  const isListable = parts.every(({ shape }) =>
    columns.every((column) => singlesIn(shape.columns.get(column) ?? []) !== undefined),
  );
  if (!isListable) return undefined;
  const { selected, family = 4 } = first.shape;
  const end = selected?.end ?? 'saddr';
  const claims = parts.flatMap(({ shape, rule }): Claim[] => {
    if (shape.selected === undefined) return [];
    const singles = columns.map((column) => singlesOf(shape.columns.get(column) ?? []));
    const suffixes = singles.reduce(
      (all, values) => all.flatMap((text) => values.map((value) => `${text} . ${value}`)),
      [''],
    );
    return [{ rule, selector: shape.selected.selector, suffixes }];
  });
  return {
    ...fieldsAndKey(first, [end, ...columns], family),
    common: commonTerms(first, columns),
    interval: false,
    content: { kind: 'selected', family, claims },
  };
}

function commonTerms({ terms, shape }: Part, columns: readonly Column[]): Term[] {
  return terms.filter((term) => {
    if (shape.others.includes(term)) return true;
    const column = columnOf(term);
    return column !== undefined && !columns.includes(column);
  });
}

function fieldsAndKey(
  { shape }: Part,
  columns: readonly Column[],
  family: Family | undefined,
): Pick<Lookup, 'fields' | 'key'> {
  const [header, type]: [string, KeyType] =
    family === 6 ? ['ip6', 'ipv6_addr'] : ['ip', 'ipv4_addr'];
  const isOpen = columns.includes('protocol') || !hasPorts(shape.columns);
  const transport = (isOpen ? undefined : PORT_PROTOCOLS.get(shape.protocol ?? 0)) ?? 'th';
  const all = columns.map((column): [Field, KeyType] => {
    if (column === 'protocol') return ['meta l4proto', 'inet_proto'];
    return column === 'saddr' || column === 'daddr'
      ? [`${header} ${column}` as Field, type]
      : [`${transport} ${column}` as Field, 'inet_service'];
  });
  return { fields: all.map(([field]) => field), key: all.map(([, one]) => one) };
}

function anything(column: Column, family: Family | undefined): Range {
  if (column === 'protocol') return { first: 0n, last: 0xffn };
  if (column === 'sport' || column === 'dport') return { first: 0n, last: 0xffffn };
  return { first: 0n, last: (1n << (family === 6 ? 128n : 32n)) - 1n };
}

function rangeText(column: Column, range: Range, family: Family | undefined): string {
  const { first, last } = range;
  if (column === 'saddr' || column === 'daddr') return addressRangeText(family ?? 4, range);
  return first === last ? String(first) : `${first}-${last}`;
}
