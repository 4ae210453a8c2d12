// What the rules of a chain refer to.
import type { Chain, ElementValue, NamedSet, Ruleset, Statement } from './ruleset.ts';

export type References = {
  /** Once for every rule that leads there. */
  readonly chains: readonly string[];
  readonly sets: ReadonlySet<string>;
};

export function referencesOf({ rules }: Chain): References {
  const chains: string[] = [];
  const sets = new Set<string>();
  for (const { statements } of rules) {
    for (const statement of statements) {
      const target = statement.kind === 'verdict' ? targetOf(statement.verdict) : undefined;
      if (target !== undefined) chains.push(target);
      for (const set of setsOf(statement)) sets.add(set);
    }
  }
  return { chains, sets };
}

/** The chain that a verdict leads to. */
export function targetOf(value: ElementValue): string | undefined {
  const [kind, target] = value?.split(' ') ?? [];
  return kind === 'jump' || kind === 'goto' ? target : undefined;
}

function setsOf(statement: Statement): readonly string[] {
  if (statement.kind === 'class-verdict-map') return [statement.classes, statement.map];
  if (statement.kind === 'verdict-map' || statement.kind === 'counter-map') return [statement.map];
  if (statement.kind !== 'match' || !statement.value.startsWith('@')) return [];
  return [statement.value.slice(1)];
}

/**
 * The chains to which something leads from a base chain or verdict map, and those of the sets that rules asked for that
 * they use. `fixed` are sets that stay in any case.
 */
export function withoutUnused(
  chains: ReadonlyMap<string, Chain>,
  fixed: ReadonlyMap<string, NamedSet>,
  asked: ReadonlyMap<string, NamedSet>,
): Ruleset {
  const used = usedChains(chains, fixed);
  const kept = [...chains].filter(([name]) => used.has(name));
  const named = new Set(kept.flatMap(([, chain]) => [...referencesOf(chain).sets]));
  const sets = [...asked].filter(([name]) => named.has(name));
  return { chains: new Map(kept), sets: new Map([...fixed, ...sets]) };
}

function usedChains(
  chains: ReadonlyMap<string, Chain>,
  sets: ReadonlyMap<string, NamedSet>,
): ReadonlySet<string> {
  const verdicts = [...sets.values()].flatMap(({ kind, elements }) =>
    kind === 'verdict-map' ? [...elements.values()] : [],
  );
  const bases = [...chains].flatMap(([name, { base }]) => (base === undefined ? [] : [name]));
  const used = new Set([...bases, ...verdicts.flatMap((verdict) => targetOf(verdict) ?? [])]);
  for (const name of used) {
    const chain = chains.get(name);
    for (const target of chain === undefined ? [] : referencesOf(chain).chains) used.add(target);
  }
  return used;
}
