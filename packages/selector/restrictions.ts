// What a selector demands of single labels: lets an index skip objects that cannot match.
import { type Expression, sortedSet } from './expression.ts';

/** Necessary, not sufficient: an object that breaks one restriction does not match. */
export type Restriction = {
  readonly mustBePresent: boolean;
  readonly mustBeAbsent: boolean;
  /** Sorted. Empty: nothing can match. Undefined: any value. */
  readonly mustHaveOneOf: readonly string[] | undefined;
};

export type Restrictions = ReadonlyMap<string, Restriction>;

const NONE: Restrictions = new Map();
const PRESENT: Restriction = { mustBePresent: true, mustBeAbsent: false, mustHaveOneOf: undefined };
const ABSENT: Restriction = { mustBePresent: false, mustBeAbsent: true, mustHaveOneOf: undefined };

export function restrictionsOf(expression: Expression): Restrictions {
  switch (expression.kind) {
    case 'has':
      return new Map([[expression.label, PRESENT]]);
    case 'compare':
      if (expression.operator === '!=') return NONE;
      return new Map([
        [
          expression.label,
          expression.operator === '=='
            ? { ...PRESENT, mustHaveOneOf: [expression.value] }
            : PRESENT,
        ],
      ]);
    case 'in':
      if (expression.negated) return NONE;
      return new Map([[expression.label, { ...PRESENT, mustHaveOneOf: expression.values }]]);
    case 'not':
      return expression.operand.kind === 'has'
        ? new Map([[expression.operand.label, ABSENT]])
        : NONE;
    case 'and':
      return expression.operands.map(restrictionsOf).reduce(both);
    case 'or':
      return expression.operands.map(restrictionsOf).reduce(either);
    case 'all':
    case 'global':
      return NONE;
    default:
      return expression satisfies never;
  }
}

function both(left: Restrictions, right: Restrictions): Restrictions {
  const merged = new Map(left);
  for (const [label, b] of right) {
    const a = left.get(label);
    merged.set(label, a === undefined ? b : bothOf(a, b));
  }
  return merged;
}

function bothOf(a: Restriction, b: Restriction): Restriction {
  const [x, y] = [a.mustHaveOneOf, b.mustHaveOneOf];
  return {
    mustBePresent: a.mustBePresent || b.mustBePresent,
    mustBeAbsent: a.mustBeAbsent || b.mustBeAbsent,
    mustHaveOneOf: x && y ? x.filter((value) => y.includes(value)) : (x ?? y),
  };
}

function either(left: Restrictions, right: Restrictions): Restrictions {
  const merged = new Map<string, Restriction>();
  for (const [label, a] of left) {
    const b = right.get(label);
    const restriction = b === undefined ? undefined : eitherOf(a, b);
    if (restriction !== undefined) merged.set(label, restriction);
  }
  return merged;
}

function eitherOf(a: Restriction, b: Restriction): Restriction | undefined {
  const [x, y] = [a.mustHaveOneOf, b.mustHaveOneOf];
  const merged = {
    mustBePresent: a.mustBePresent && b.mustBePresent,
    mustBeAbsent: a.mustBeAbsent && b.mustBeAbsent,
    mustHaveOneOf: x && y ? sortedSet([...x, ...y]) : undefined,
  };
  const isFree =
    !merged.mustBePresent && !merged.mustBeAbsent && merged.mustHaveOneOf === undefined;
  return isFree ? undefined : merged;
}
