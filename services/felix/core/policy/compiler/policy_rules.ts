// The rules of one policy or profile, as rules of the packet filter: look-ups for those that come in numbers, one after the
// other else.
import type { RuleTerms } from '../meaning/rule_terms.ts';
import { contentId } from './identifiers.ts';
import { type RulePart, type Step, stepsOf } from './lookups/grouping.ts';
import { shapeOf } from './lookups/shape.ts';
import { alternatives } from './rule_compiler.ts';
import { COUNTER, type Rule, type Statement } from './ruleset.ts';
import type { SetBuilder } from './set_builder.ts';
import { type Term, written } from './terms.ts';

export type Owner = {
  /** Name of the chain. */
  readonly chain: string;
  /** For comments: "NetworkPolicy default/web ingress". */
  readonly title: string;
  readonly logPrefix: string;
  readonly allow: readonly Statement[];
  readonly deny: readonly Statement[];
  /** What a Pass rule does. */
  readonly pass: readonly Statement[];
  /** What comes before a denial. */
  readonly denied: (by: string) => readonly Statement[];
};

/** Every rule counts what it decides on; an established connection's packets come to no rule. */
export function policyRules(rules: readonly RuleTerms[], sets: SetBuilder, owner: Owner): Rule[] {
  const parts = rules.flatMap((rule) => partsOf(rule, sets));
  const names = new Set<string>();
  const steps = stepsOf(parts, (selector, family) => sets.roomOf(selector, family));
  return steps.flatMap((step) =>
    step.kind === 'rule'
      ? plainRules(step.part, sets, owner)
      : lookupRules(step, sets, owner, names),
  );
}

/** Of rules that ask for no set yet: they are the same for everyone, and the same objects as before. */
const known = new WeakMap<RuleTerms, readonly RulePart[]>();

function partsOf(rule: RuleTerms, sets: SetBuilder): readonly RulePart[] {
  const before = known.get(rule);
  if (before !== undefined) return before;
  const { number, action } = rule;
  const parts = alternatives(rule, sets).map(
    (terms): RulePart => ({ terms, shape: shapeOf(terms), rule: number, action }),
  );
  if (parts.every(({ terms }) => !terms.some(asksSet))) known.set(rule, parts);
  return parts;
}

function asksSet(term: Term): boolean {
  return term.kind === 'other' && term.match.value.startsWith('@');
}

function plainRules({ terms, rule, action }: RulePart, sets: SetBuilder, owner: Owner): Rule[] {
  const comment = ruleTitle(owner, rule, action);
  const denied = action === 'Deny' ? owner.denied(comment) : [];
  // What is logged goes on to the next rule.
  return written(terms, sets, { isOnce: action === 'Log' }).map((matches) => ({
    statements: [...matches, ...denied, COUNTER, ...actionStatements(action, owner)],
    comment,
  }));
}

/** `names`: of the chain's look-ups up to now. */
function lookupRules(
  { parts, lookup }: Extract<Step, { kind: 'lookup' }>,
  sets: SetBuilder,
  owner: Owner,
  names: Set<string>,
): Rule[] {
  const action = parts[0]?.action ?? 'Deny';
  const { fields, interval } = lookup;
  const common = written(lookup.common, sets);
  // Not what is in it: when rules change it stays the same map.
  const id = contentId(JSON.stringify([action, common.flat(), fields, interval]));
  const map = unused(`${owner.chain}/lookup-${id}`, names);
  const numbers = [...new Set(parts.map(({ rule }) => rule))];
  const counted = new Map(numbers.map((rule) => [rule, ruleTitle(owner, rule, action)]));
  sets.addLookup(map, `${owner.title} ${action}`, lookup, counted);
  // Which rules is in the map alone, so that one more or less leaves the chain as it is.
  const comment = `${owner.title} rules ${action}`;
  const denied = action === 'Deny' ? owner.denied(comment) : [];
  const asked: Statement = { kind: 'counter-map', fields, map };
  const then = [asked, ...denied, ...actionStatements(action, owner)];
  return common.map((matches) => ({ statements: [...matches, ...then], comment }));
}

function ruleTitle({ title }: Owner, rule: number, action: RuleTerms['action']): string {
  return `${title} rule ${rule} ${action}`;
}

function actionStatements(action: RuleTerms['action'], owner: Owner): readonly Statement[] {
  switch (action) {
    case 'Allow':
      return owner.allow;
    case 'Deny':
      return owner.deny;
    case 'Pass':
      return owner.pass;
    case 'Log':
      return [{ kind: 'log', prefix: `${owner.logPrefix}: ` }];
    default:
      return action satisfies never;
  }
}

function unused(name: string, names: Set<string>): string {
  let free = name;
  for (let next = 2; names.has(free); next++) free = `${name}-${next}`;
  names.add(free);
  return free;
}
