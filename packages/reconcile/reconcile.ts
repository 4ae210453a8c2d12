/** The outside system. Adapters talk to the kernel; tests pass a map. */
export interface Target<K, V> {
  list(): Promise<ReadonlyMap<K, V>>;
  put(key: K, value: V): Promise<void>;
  remove(key: K): Promise<void>;
}

export type Change<K, V> =
  | { readonly kind: 'put'; readonly key: K; readonly value: V }
  | { readonly kind: 'remove'; readonly key: K };

export type Failure<K, V> = { readonly change: Change<K, V>; readonly cause: unknown };

/** The changes that turn `actual` into `desired`: what is missing or wrong first, removals last. */
export function diff<K, V>(
  desired: ReadonlyMap<K, V>,
  actual: ReadonlyMap<K, V>,
  same: (a: V, b: V) => boolean,
): Change<K, V>[] {
  const unwanted = [...actual.keys()].filter((key) => !desired.has(key));
  const wrong = [...desired].filter(([key, value]) => {
    const found = actual.get(key);
    return found === undefined || !same(found, value);
  });
  return [
    ...wrong.map(([key, value]) => ({ kind: 'put', key, value }) as const),
    ...unwanted.map((key) => ({ kind: 'remove', key }) as const),
  ];
}

/** Applies what it can. What failed comes back, for the caller to retry after a fresh list(). */
export async function apply<K, V>(
  changes: readonly Change<K, V>[],
  target: Target<K, V>,
): Promise<Failure<K, V>[]> {
  const failures: Failure<K, V>[] = [];
  for (const change of changes) {
    try {
      if (change.kind === 'put') await target.put(change.key, change.value);
      else await target.remove(change.key);
    } catch (cause) {
      failures.push({ change, cause });
    }
  }
  return failures;
}
