// What has been added to and taken from a list, by identity. Lists of a cluster are long and change in few places: both are
// gone through side by side, and only what has no place in the other is put into a set.

export type ListChanges<T> = { readonly removed: readonly T[]; readonly added: readonly T[] };

const NOTHING = { removed: [], added: [] } as const;
/** So many elements, of both lists together, are looked at for the place from which they go on alike. */
const REACH = 16;

/** No element may be in a list twice. */
export function listChanges<T>(before: readonly T[], after: readonly T[]): ListChanges<T> {
  if (before === after) return NOTHING;
  const { removed, added } = unmatched(before, after);
  if (removed.length === 0 || added.length === 0) return { removed, added };
  const [old, young] = [new Set(removed), new Set(added)];
  return {
    removed: removed.filter((element) => !young.has(element)),
    added: added.filter((element) => !old.has(element)),
  };
}

/** What stays when the lists are laid side by side: what one of them lacks, and what has another place there. */
export function unmatched<T>(before: readonly T[], after: readonly T[]): ListChanges<T> {
  const removed: T[] = [];
  const added: T[] = [];
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start += 1;
  let tail = 0;
  while (tail < shorter - start && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const [oldEnd, youngEnd] = [before.length - tail, after.length - tail];
  let [old, young] = [start, start];
  while (old < oldEnd && young < youngEnd) {
    const [gone, come] = unlikeFrom(before, old, after, young);
    for (const end = Math.min(old + gone, oldEnd); old < end; old += 1) {
      removed.push(before[old] as T);
    }
    for (const end = Math.min(young + come, youngEnd); young < end; young += 1) {
      added.push(after[young] as T);
    }
    while (old < oldEnd && young < youngEnd && before[old] === after[young]) {
      old += 1;
      young += 1;
    }
  }
  for (; old < oldEnd; old += 1) removed.push(before[old] as T);
  for (; young < youngEnd; young += 1) added.push(after[young] as T);
  return { removed, added };
}

/** How many to pass over in each, as few as possible, until both go on alike; out of reach: half of it in each. */
function unlikeFrom<T>(
  before: readonly T[],
  old: number,
  after: readonly T[],
  young: number,
): readonly [number, number] {
  for (let both = 1; both <= REACH; both += 1) {
    for (let gone = 0; gone <= both; gone += 1) {
      const come = both - gone;
      if (old + gone >= before.length || young + come >= after.length) continue;
      if (before[old + gone] === after[young + come]) return [gone, come];
    }
  }
  return [REACH / 2, REACH / 2];
}
