// Filters that look at nothing but prefixes, as most do: their verdict holds for all routes of one set of
// attributes that meet the same rule.
import type { PrefixTable } from '../rib/prefix_table.ts';
import { PrefixPattern } from './prefix_match.ts';
import type { FilterRule } from './route_filter.ts';

export class PrefixRules {
  /** Undefined: matches every prefix. */
  readonly #patterns: readonly (PrefixPattern | undefined)[];

  constructor(rules: readonly FilterRule[]) {
    this.#patterns = rules.map(({ prefix }) => prefix && new PrefixPattern(prefix));
  }

  /** Index of the first rule that matches; -1: none. */
  find(prefixes: PrefixTable, id: number): number {
    const patterns = this.#patterns;
    for (let index = 0; index < patterns.length; index++) {
      if (patterns[index]?.matches(prefixes, id) ?? true) return index;
    }
    return -1;
  }
}

const NO_RULES = new PrefixRules([]);
const known = new WeakMap<readonly FilterRule[], PrefixRules | 'others'>();

/** Whether no route gets past the rules, whatever it is. */
export function rejectEverything(rules: readonly FilterRule[]): boolean {
  const [first] = rules;
  return (
    first !== undefined && first.prefix === undefined && isAboutPrefix(first) && !first.accepts
  );
}

/** Undefined: the outcome of the rules does not follow from the prefix alone, or they change something. */
export function prefixRulesOf(rules: readonly FilterRule[]): PrefixRules | undefined {
  if (rules.length === 0) return NO_RULES;
  let found = known.get(rules);
  if (found === undefined) {
    found = rules.every(isAboutPrefix) ? new PrefixRules(rules) : 'others';
    known.set(rules, found);
  }
  return found === 'others' ? undefined : found;
}

function isAboutPrefix({ name: _name, prefix: _prefix, accepts: _accepts, ...rest }: FilterRule) {
  return Object.values(rest).every((condition) => condition === undefined || condition === false);
}
