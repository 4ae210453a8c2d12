// Most changes of a ruleset only permit more: a pod appears, an address joins a set that a rule allows. Connections
// need not be looked at then.
import type { Chain, NamedSet, Rule, Ruleset, Statement } from '../compiler/ruleset.ts';
import { VersionedMap } from '../graph/versioned_map.ts';

/** False only when no packet that `before` accepts is dropped by `after`. Pure. */
export function mayForbid(before: Ruleset, after: Ruleset): boolean {
  if (before === after) return false;
  const changed = new Map<string, Change>();
  for (const [name, set] of after.sets) {
    const found = before.sets.get(name);
    const change = found === undefined || found === set ? undefined : changeOf(found, set);
    if (change === 'any') return true;
    if (change !== undefined) changed.set(name, change);
  }
  for (const [name, chain] of after.chains) {
    const found = before.chains.get(name);
    // A new chain is reached from a changed one, or from new elements of a verdict map.
    if (found === undefined) continue;
    if (found !== chain && !sameRules(found, chain)) return true;
    if (changed.size > 0 && chain.base?.type !== 'nat' && usesMatter(chain, changed)) return true;
  }
  return [...before.chains].some(
    ([name, { base }]) => base !== undefined && !after.chains.has(name),
  );
}

type Change = 'grows' | 'shrinks' | 'any';

/** Undefined: the same elements. A map that gains interfaces or classes takes nothing away. */
function changeOf(before: NamedSet, after: NamedSet): Change | undefined {
  if (before.elements === after.elements) return undefined;
  const { old, young } = candidates(before.elements, after.elements);
  const isSame = (element: string): boolean =>
    // Which rule counts makes no difference.
    after.kind === 'counter-map' || after.elements.get(element) === before.elements.get(element);
  const isKept = old.every(
    (element) => !before.elements.has(element) || (after.elements.has(element) && isSame(element)),
  );
  const hasNew = young.some(
    (element) => after.elements.has(element) && !before.elements.has(element),
  );
  const isDispatch = after.kind === 'verdict-map' || after.kind === 'class-map';
  if (isDispatch) return isKept ? undefined : 'any';
  // What intervals cover is not compared: one written differently is as good as another.
  if (isKept) return hasNew ? 'grows' : undefined;
  return hasNew ? 'any' : 'shrinks';
}

/** The elements that may differ: of large sets a few, when one came from the other. */
function candidates(
  before: NamedSet['elements'],
  after: NamedSet['elements'],
): { readonly old: readonly string[]; readonly young: readonly string[] } {
  const changed = before instanceof VersionedMap ? before.keysChangedUntil(after) : undefined;
  if (changed !== undefined) return { old: [...changed], young: [...changed] };
  return { old: [...before.keys()], young: [...after.keys()] };
}

function sameRules({ rules }: Chain, other: Chain): boolean {
  if (rules === other.rules) return true;
  if (rules.length !== other.rules.length) return false;
  return rules.every((rule, index) => {
    const found = other.rules[index];
    return rule === found || JSON.stringify(rule.statements) === JSON.stringify(found?.statements);
  });
}

const uses = new WeakMap<readonly Rule[], ReadonlyMap<string, ReadonlySet<Change>>>();

function usesMatter({ rules }: Chain, changed: ReadonlyMap<string, Change>): boolean {
  let found = uses.get(rules);
  if (found === undefined) {
    found = harmfulChanges(rules);
    uses.set(rules, found);
  }
  return [...found].some(([name, harmful]) => {
    const change = changed.get(name);
    return change !== undefined && (harmful.has(change) || change === 'any');
  });
}

/** For each set that the rules use: the changes of it that may take a permission away. */
function harmfulChanges(rules: readonly Rule[]): ReadonlyMap<string, ReadonlySet<Change>> {
  const harmful = new Map<string, Set<Change>>();
  for (const { statements } of rules) {
    const last = statements.at(-1);
    const verdict = last?.kind === 'verdict' ? last.verdict : last?.kind === 'reject' ? 'drop' : '';
    for (const statement of statements) {
      const asked = askedSet(statement);
      if (asked === undefined) continue;
      const { name, isNegated } = asked;
      const all = harmful.get(name) ?? new Set<Change>();
      harmful.set(name, all);
      const matchesMore = isNegated ? 'shrinks' : 'grows';
      const matchesLess = isNegated ? 'grows' : 'shrinks';
      if (verdict !== 'accept') all.add(matchesMore);
      if (verdict !== 'drop') all.add(matchesLess);
    }
  }
  return harmful;
}

/** The set that decides whether the statement matches. */
function askedSet(
  statement: Statement,
): { readonly name: string; readonly isNegated: boolean } | undefined {
  if (statement.kind === 'counter-map') return { name: statement.map, isNegated: false };
  if (statement.kind !== 'match' || !statement.value.startsWith('@')) return undefined;
  return { name: statement.value.slice(1), isNegated: statement.operator === '!=' };
}
