// Conditions of packet-filter rules before they are written. Of those that rules have in large numbers it is known what
// they are about, so that rules can be merged.
import { addressBits, type Family, formatAddress, type Prefix } from '@calico/ip';
import type { Selector } from '@calico/selector';
import { type Field, type Match, match } from './ruleset.ts';
import { type PortRange, prefixText, rangeText, type SetBuilder } from './set_builder.ts';

export type AddressField = Extract<Field, `${'ip' | 'ip6'} ${'saddr' | 'daddr'}`>;
export type PortField = Extract<Field, `${'tcp' | 'udp' | 'sctp'} ${string}`>;

export type Term =
  /** In any of these nets, of the field's family. */
  | { readonly kind: 'nets'; readonly field: AddressField; readonly nets: readonly Prefix[] }
  /** An address of what the selector matches. */
  | { readonly kind: 'selected'; readonly field: AddressField; readonly selector: Selector }
  /** Any of these ports: sorted, without overlaps. */
  | { readonly kind: 'ports'; readonly field: PortField; readonly ranges: readonly PortRange[] }
  | { readonly kind: 'protocol'; readonly number: number }
  | { readonly kind: 'other'; readonly match: Match };

/** A conjunction. */
export type Alternative = readonly Term[];

export function other(condition: Match): Term {
  return { kind: 'other', match: condition };
}

/**
 * The conjunction as the packet filter has it: any of these will do. With `isOnce` no packet matches two of them.
 */
export function written(
  terms: readonly Term[],
  sets: SetBuilder,
  { isOnce = false } = {},
): readonly (readonly Match[])[] {
  return terms.reduce<readonly (readonly Match[])[]>(
    (all, term) => {
      const one = matchesOf(term, sets);
      const next = one.map((own, index) =>
        isOnce ? [own, ...one.slice(0, index).map(negated)] : [own],
      );
      return all.flatMap((before) => next.map((matches) => [...before, ...matches]));
    },
    [[]],
  );
}

/** Any of them will do. */
function matchesOf(term: Term, sets: SetBuilder): readonly Match[] {
  switch (term.kind) {
    case 'nets':
      return [match(term.field, netsValue(term.nets, familyOf(term.field), sets))];
    case 'selected':
      return selectedMatches(term.field, term.selector, sets);
    case 'ports':
      return [match(term.field, rangesValue(term.ranges, sets))];
    case 'protocol':
      return [match('meta l4proto', term.number)];
    case 'other':
      return [term.match];
    default:
      return term satisfies never;
  }
}

/** Whether the address is of what the selector matches: any of these will do. */
function selectedMatches(field: AddressField, selector: Selector, sets: SetBuilder): Match[] {
  const family = familyOf(field);
  return sets.selected(selector, family).map(({ name, form }) => {
    return match(form === 'ranges' ? field : masked(field, form), `@${name}`);
  });
}

/** That it is not: all of these. */
export function notSelected(field: AddressField, selector: Selector, sets: SetBuilder): Match[] {
  return selectedMatches(field, selector, sets).map(negated);
}

function negated({ fields, value }: Match): Match {
  return { kind: 'match', fields, operator: '!=', value };
}

/** The field, to be looked up among blocks of this length; that of one address: as it is. */
export function masked(field: AddressField, length: number): Field {
  const family = familyOf(field);
  const zeros = addressBits(family) - length;
  if (zeros === 0) return field;
  const value = ((1n << BigInt(addressBits(family) - zeros)) - 1n) << BigInt(zeros);
  return `${field} & ${formatAddress({ family, value })}`;
}

export function fieldsOf(term: Term): readonly Field[] {
  if (term.kind === 'other') return term.match.fields;
  return [term.kind === 'protocol' ? 'meta l4proto' : term.field];
}

export function familyOf(field: AddressField): Family {
  return field.startsWith('ip6 ') ? 6 : 4;
}

export function netsValue(nets: readonly Prefix[], family: Family, sets: SetBuilder): string {
  const [only, ...more] = nets;
  if (only !== undefined && more.length === 0) return prefixText(only);
  return `@${sets.nets(nets, family)}`;
}

function rangesValue(ranges: readonly PortRange[], sets: SetBuilder): string {
  const [only, ...more] = ranges;
  if (only !== undefined && more.length === 0) return rangeText(only);
  return `@${sets.ports(ranges)}`;
}
