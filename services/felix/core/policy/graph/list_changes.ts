// What has been added to and taken from a list, by identity. Lists of a cluster are long and change in few places: equal
// ends and equal places are passed over before anything is put into a set.

export type ListChanges<T> = { readonly removed: readonly T[]; readonly added: readonly T[] };

const NOTHING = { removed: [], added: [] } as const;

/** No element may be in a list twice. */
export function listChanges<T>(before: readonly T[], after: readonly T[]): ListChanges<T> {
  if (before === after) return NOTHING;
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start++;
  let tail = 0;
  while (tail < shorter - start && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const gone = before.slice(start, before.length - tail);
  const come = after.slice(start, after.length - tail);
  return gone.length === come.length ? byPlace(gone, come) : bySet(gone, come);
}

function byPlace<T>(before: readonly T[], after: readonly T[]): ListChanges<T> {
  const differs = (list: readonly T[], other: readonly T[]): T[] =>
    list.filter((element, index) => element !== other[index]);
  return bySet(differs(before, after), differs(after, before));
}

function bySet<T>(before: readonly T[], after: readonly T[]): ListChanges<T> {
  if (before.length === 0 || after.length === 0) return { removed: before, added: after };
  const [old, young] = [new Set(before), new Set(after)];
  return {
    removed: before.filter((element) => !young.has(element)),
    added: after.filter((element) => !old.has(element)),
  };
}
