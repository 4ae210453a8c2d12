// What an alternative of a rule asks of a packet, column by column: what rules may differ in and still be one look-up.
import type { Family } from '@calico/ip';
import type { Selector } from '@calico/selector';
import { type AddressRange, rangesOf } from '../address_ranges.ts';
import { PORT_PROTOCOLS } from '../port_compiler.ts';
import type { Field } from '../ruleset.ts';
import { type Alternative, familyOf, fieldsOf, type Term } from '../terms.ts';

/** In the order of a look-up's fields. */
export const COLUMNS = ['saddr', 'daddr', 'protocol', 'sport', 'dport'] as const;
export type Column = (typeof COLUMNS)[number];

/** Addresses, protocols or ports; both ends inclusive. */
export type Range = AddressRange;

export type Shape = {
  /** Undefined: packets of both families. */
  readonly family: Family | undefined;
  /** Undefined: any, or more than one. */
  readonly protocol: number | undefined;
  /** Sorted, without overlaps. A column that is left out may be anything. */
  readonly columns: ReadonlyMap<Column, readonly Range[]>;
  /** The end whose address has to be of what a selector matches, if it is one end. */
  readonly selected: { readonly end: 'saddr' | 'daddr'; readonly selector: Selector } | undefined;
  /** What cannot be a column: rules of one look-up have this in common. */
  readonly others: readonly Term[];
};

const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ...[...PORT_PROTOCOLS].map(([number, name]): [string, number] => [name, number]),
  ['icmp', 1],
  ['icmpv6', 58],
]);

export function shapeOf(terms: Alternative): Shape {
  const columns = new Map<Column, readonly Range[]>();
  const selections: Extract<Term, { kind: 'selected' }>[] = [];
  const others: Term[] = [];
  for (const term of terms) {
    const column = columnOf(term);
    if (term.kind === 'selected') selections.push(term);
    else if (column === undefined || columns.has(column)) others.push(term);
    else columns.set(column, rangesIn(term));
  }
  const [first, second] = selections;
  const isOne = first !== undefined && second === undefined;
  const protocol = protocolOf(terms);
  // A port says its protocol.
  if (hasPorts(columns) && protocol !== undefined) columns.set('protocol', [single(protocol)]);
  return {
    family: networkOf(terms),
    protocol,
    columns,
    selected: isOne ? { end: endOf(first.field), selector: first.selector } : undefined,
    others: isOne ? others : [...others, ...selections],
  };
}

/** The column that a term is all about. */
export function columnOf(term: Term): Column | undefined {
  if (term.kind === 'protocol') return 'protocol';
  if (term.kind !== 'nets' && term.kind !== 'ports') return undefined;
  return term.field.split(' ')[1] as Column;
}

export function hasPorts(columns: ReadonlyMap<Column, unknown>): boolean {
  return columns.has('sport') || columns.has('dport');
}

/** False when some packet may match both. What is not a column may be anything. */
export function areApart(a: Shape, b: Shape): boolean {
  if (a.family !== undefined && b.family !== undefined && a.family !== b.family) return true;
  if (a.protocol !== undefined && b.protocol !== undefined && a.protocol !== b.protocol) {
    return true;
  }
  for (const [column, ranges] of a.columns) {
    const others = b.columns.get(column);
    // Addresses of different families cannot be compared, and the family may be open.
    const isAddress = column === 'saddr' || column === 'daddr';
    if (others === undefined || (isAddress && a.family !== b.family)) continue;
    if (!ranges.some((one) => others.some((other) => overlap(one, other)))) return true;
  }
  return false;
}

export function overlap(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}

function single(number: number): Range {
  return { first: BigInt(number), last: BigInt(number) };
}

function rangesIn(term: Term): readonly Range[] {
  if (term.kind === 'nets') return rangesOf(term.nets);
  if (term.kind === 'protocol') return [single(term.number)];
  if (term.kind !== 'ports') return [];
  return term.ranges.map(({ first, last }) => ({ first: BigInt(first), last: BigInt(last) }));
}

function endOf(field: Field): 'saddr' | 'daddr' {
  return field.endsWith('saddr') ? 'saddr' : 'daddr';
}

function networkOf(terms: Alternative): Family | undefined {
  for (const term of terms) {
    if (term.kind === 'nets' || term.kind === 'selected') return familyOf(term.field);
    for (const field of fieldsOf(term)) {
      const header = field.split(' ')[0];
      if (header === 'ip' || header === 'icmp') return 4;
      if (header === 'ip6' || header === 'icmpv6') return 6;
    }
    if (term.kind !== 'other' || term.match.fields[0] !== 'meta nfproto') continue;
    if (term.match.operator === '==') return term.match.value === 'ipv4' ? 4 : 6;
  }
  return undefined;
}

/** That of the first header that a term looks into. */
function protocolOf(terms: Alternative): number | undefined {
  for (const term of terms) {
    if (term.kind === 'protocol') return term.number;
    for (const field of fieldsOf(term)) {
      const found = PROTOCOLS.get(field.split(' ')[0] ?? '');
      if (found !== undefined) return found;
    }
  }
  return undefined;
}
