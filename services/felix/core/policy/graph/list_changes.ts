// What has been added to and taken from a list, by identity. Lists of a cluster are long and change in few places: both are
// gone through side by side, and only what has no place in the other is put into a set.

export type ListChanges<T> = { readonly removed: readonly T[]; readonly added: readonly T[] };

const NOTHING = { removed: [], added: [] } as const;

/** No element may be in a list twice. */
export function listChanges<T>(before: readonly T[], after: readonly T[]): ListChanges<T> {
  if (before === after) return NOTHING;
  const gone: T[] = [];
  const come: T[] = [];
  let [old, young] = [0, 0];
  while (old < before.length && young < after.length) {
    const [one, other] = [before[old] as T, after[young] as T];
    const isSame = one === other;
    // One of them is passed over, or both where that does not help.
    const isOldKept = !isSame && after[young + 1] === one;
    const isYoungKept = !isSame && !isOldKept && before[old + 1] === other;
    if (!isSame && !isOldKept) gone.push(one);
    if (!isSame && !isYoungKept) come.push(other);
    if (!isOldKept) old += 1;
    if (!isYoungKept) young += 1;
  }
  return bySet([...gone, ...before.slice(old)], [...come, ...after.slice(young)]);
}

function bySet<T>(before: readonly T[], after: readonly T[]): ListChanges<T> {
  if (before.length === 0 || after.length === 0) return { removed: before, added: after };
  const [old, young] = [new Set(before), new Set(after)];
  return {
    removed: before.filter((element) => !young.has(element)),
    added: after.filter((element) => !old.has(element)),
  };
}
