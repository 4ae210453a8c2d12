// What has been added to and taken from a list, by identity. Lists of a cluster are long and change in few places: equal
// ends and equal places are passed over before anything is put into a set.

export type ListChanges<T> = { readonly removed: readonly T[]; readonly added: readonly T[] };

/** How a list came from another one, where that is known. */
const origins = new WeakMap<object, ListChanges<unknown> & { readonly before: object }>();

/**
 * Notes how `after` came from `before`, so that listChanges() need not look. How `before` came is forgotten: each list
 * would otherwise hold the one before it, and the newest all that ever were.
 */
export function noteOrigin<T>(
  after: readonly T[],
  before: readonly T[],
  { removed, added }: ListChanges<T>,
): void {
  origins.delete(before);
  origins.set(after, { before, removed, added });
}

const NOTHING = { removed: [], added: [] } as const;

/** No element may be in a list twice. */
export function listChanges<T>(before: readonly T[], after: readonly T[]): ListChanges<T> {
  if (before === after) return NOTHING;
  const origin = origins.get(after);
  if (origin?.before === before) return origin as ListChanges<T> & { readonly before: object };
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start++;
  let tail = 0;
  while (tail < shorter - start && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const gone = before.slice(start, before.length - tail);
  const come = after.slice(start, after.length - tail);
  return gone.length === come.length ? byPlace(gone, come) : bySet(gone, come);
}

export function isChanged<T>(before: readonly T[], after: readonly T[]): boolean {
  const { removed, added } = listChanges(before, after);
  return removed.length + added.length > 0;
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
