// Named counters of a table belong to the counter map that their name begins with.
import type { NamedSet, Ruleset } from './ruleset.ts';

/** Puts counters, by name with what each counts, into their maps. Those without one are strays. */
export function withCounters(
  sets: ReadonlyMap<string, NamedSet>,
  counters: ReadonlyMap<string, string>,
): Pick<Ruleset, 'sets' | 'strayCounters'> {
  const byMap = Map.groupBy(counters, ([name]) => mapOfCounter(name));
  const owned = [...sets].map(([name, set]): [string, NamedSet] =>
    set.kind === 'counter-map'
      ? [name, { ...set, counters: new Map(byMap.get(name)) }]
      : [name, set],
  );
  const strays = [...byMap]
    .filter(([map]) => sets.get(map)?.kind !== 'counter-map')
    .flatMap(([, some]) => some.map(([name]) => name));
  return {
    sets: new Map(owned),
    ...(strays.length > 0 ? { strayCounters: strays } : {}),
  };
}

/** "web/lookup-1/rule-3" is of the map "web/lookup-1". */
export function mapOfCounter(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('/')));
}

/** Of all counter maps, and strays. */
export function countersOf({ sets, strayCounters = [] }: Ruleset): ReadonlyMap<string, string> {
  const own = [...sets.values()].flatMap(({ counters }) => [...(counters ?? [])]);
  return new Map([...strayCounters.map((name): [string, string] => [name, '']), ...own]);
}
