// Which parts of a chain become look-ups. What comes first decides, so a part moves forward to others of its kind only past
// parts that no packet of its own can match.
import type { Family } from '@calico/ip';
import type { Selector } from '@calico/selector';
import type { RuleTerms } from '../../meaning/rule_terms.ts';
import type { Term } from '../terms.ts';
import { type Lookup, lookupOf, type Part, rangesText, singlesIn } from './lookup.ts';
import { areApart, COLUMNS, type Column, hasPorts, type Shape } from './shape.ts';

export type RulePart = Part & { readonly action: RuleTerms['action'] };

export type Step =
  | { readonly kind: 'rule'; readonly part: RulePart }
  | { readonly kind: 'lookup'; readonly parts: readonly RulePart[]; readonly lookup: Lookup };

/** How many elements are to be expected of a selector; undefined: they cannot be part of a look-up. */
export type RoomOf = (selector: Selector, family: Family) => number | undefined;

/** With fewer, one rule after the other costs no more than the look-up (measured: DESIGN.md). */
const FEWEST = { exact: 4, selected: 6, ranges: 4, boxes: 12 } as const;
/** Nets times ports of one rule. With more it is a look-up in sets already. */
const MOST_BOXES = 64;
/** Elements of what selectors find, in all look-ups of a chain: a node has many chains. */
const MOST_ROOM = 1 << 14;
/** So many look-ups and rules a part may move past. */
const FARTHEST = 16;
/** How often those that found too few others are told to stay where they are. */
const ROUNDS = 4;

/** Steps that do in order what the parts do in order. Pure. */
export function stepsOf(all: readonly RulePart[], roomOf: RoomOf): Step[] {
  const parts = settled(all, roomOf);
  const kinds = new Map(parts.map((part) => [part, kindOf(part)]));
  // Most groups are the same in the next round.
  const known = new Map<RulePart | undefined, Plan>();
  for (let round = 1; ; round++) {
    const plans = groupsOf(parts, kinds).map(({ members }) => {
      const before = known.get(members[0]);
      const plan = before && isSame(before.members, members) ? before : planOf(members);
      known.set(members[0], plan);
      return plan;
    });
    const small = plans.filter(({ steps, members }) => members.length > 1 && steps === undefined);
    if (small.length === 0 || round === ROUNDS) {
      return plans.flatMap(({ steps, members }) => steps ?? members.map(asRule));
    }
    for (const part of small.flatMap(({ members }) => members)) kinds.delete(part);
  }
}

/** Selectors that find too much, or nets, are left to sets of their own. */
function settled(parts: readonly RulePart[], roomOf: RoomOf): readonly RulePart[] {
  let room = MOST_ROOM;
  return parts.map((part) => {
    const { shape, action, terms } = part;
    if (shape.selected === undefined || action === 'Log') return part;
    const each = roomOf(shape.selected.selector, shape.family ?? 4);
    const needed = (each ?? Number.POSITIVE_INFINITY) * exactSize(shape);
    if (needed <= room) {
      room -= needed;
      return part;
    }
    const others = [...shape.others, ...terms.filter(({ kind }) => kind === 'selected')];
    return { ...part, shape: { ...shape, others, selected: undefined } };
  });
}

type Group = { readonly kind: string | undefined; readonly members: RulePart[] };

function groupsOf(
  parts: readonly RulePart[],
  kinds: ReadonlyMap<RulePart, string | undefined>,
): readonly Group[] {
  const groups: Group[] = [];
  for (const part of parts) {
    const kind = kinds.get(part);
    const group = kind === undefined ? undefined : groupFor(part, kind, groups);
    if (group === undefined) groups.push({ kind, members: [part] });
    else group.members.push(part);
  }
  return groups;
}

function groupFor(part: RulePart, kind: string, groups: readonly Group[]): Group | undefined {
  const end = Math.max(0, groups.length - FARTHEST);
  for (let index = groups.length - 1; index >= end; index--) {
    const group = groups[index] as Group;
    if (group.kind === kind) return group;
    if (!isApartFrom(part, group)) return undefined;
  }
  return undefined;
}

function isApartFrom({ shape }: RulePart, { members }: Group): boolean {
  // All of a group are of one family.
  const family = members[0]?.shape.family;
  if (family !== undefined && shape.family !== undefined && family !== shape.family) return true;
  return members.every((member) => areApart(member.shape, shape));
}

type Plan = {
  readonly members: readonly RulePart[];
  /** Undefined: they are too few. */
  readonly steps: readonly Step[] | undefined;
};

/** One look-up; if that would have too many elements, one for each half. */
function planOf(members: readonly RulePart[]): Plan {
  if (members.length < FEWEST.exact) return { members, steps: undefined };
  const lookup = lookupOf(members);
  if (lookup !== undefined) {
    const isEnough = members.length >= fewestOf(lookup);
    return { members, steps: isEnough ? [{ kind: 'lookup', parts: members, lookup }] : undefined };
  }
  const middle = members.length >>> 1;
  const halves = [members.slice(0, middle), members.slice(middle)].map(planOf);
  return { members, steps: halves.flatMap((half) => half.steps ?? half.members.map(asRule)) };
}

function isSame(a: readonly RulePart[], b: readonly RulePart[]): boolean {
  return a.length === b.length && a.every((part, index) => part === b[index]);
}

function asRule(part: RulePart): Step {
  return { kind: 'rule', part };
}

function fewestOf({ content, interval, key }: Lookup): number {
  if (content.kind === 'selected') return FEWEST.selected;
  if (!interval) return FEWEST.exact;
  return key.length === 1 ? FEWEST.ranges : FEWEST.boxes;
}

/** Of a long policy that changes most parts are those of before. */
const knownKinds = new WeakMap<RulePart, string | undefined>();

function kindOf(part: RulePart): string | undefined {
  if (!knownKinds.has(part)) knownKinds.set(part, kindFor(part));
  return knownKinds.get(part);
}

/**
 * Parts of one kind can be one look-up; undefined: it stays a rule. The transport header is looked into only for rules
 * that do so anyway: other packets need not have one.
 */
function kindFor({ shape, action }: RulePart): string | undefined {
  const { selected, family, columns, others } = shape;
  // Every Log rule that matches writes a line.
  if (action === 'Log') return undefined;
  if (selected === undefined && (columns.size === 0 || sizeOf(shape) > MOST_BOXES)) {
    return undefined;
  }
  const fixed = selected === undefined ? [] : COLUMNS.map((column) => fixedText(shape, column));
  const same = others.map(termText);
  return JSON.stringify([action, family, hasPorts(columns), selected?.end, fixed, same]);
}

function termText(term: Term): string {
  if (term.kind === 'selected') return `${term.field} ${term.selector.uniqueId}`;
  return JSON.stringify(term, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}

/** What a column has to be in all parts, beside a selector. */
function fixedText({ columns }: Shape, column: Column): string {
  return mayDiffer(columns, column) ? 'single' : rangesText(columns.get(column));
}

/** Single numbers may. With the protocol the ports become a part of the key, so it may only if they may. */
function mayDiffer(columns: Shape['columns'], column: Column): boolean {
  if (column === 'saddr' || column === 'daddr' || !columns.has(column)) return false;
  const together: readonly Column[] =
    column === 'protocol' ? ['protocol', 'sport', 'dport'] : [column];
  return together.every((one) => singlesIn(columns.get(one) ?? []) !== undefined);
}

/** How many boxes it is. */
function sizeOf({ columns }: Shape): number {
  return [...columns.values()].reduce((product, { length }) => product * length, 1);
}

/** How many combinations of single numbers stand beside each address. */
function exactSize({ columns }: Shape): number {
  let product = 1;
  for (const [column, ranges] of columns) {
    if (mayDiffer(columns, column)) product *= singlesIn(ranges) ?? Number.POSITIVE_INFINITY;
  }
  return product;
}
