import type { AnyResource } from '@calico/model';

/** What was removed beside what was added in its place: the resource of the same kind, namespace and name. */
export function pairByKey<T extends AnyResource>(
  removed: readonly T[],
  added: readonly T[],
): readonly (readonly [T | undefined, T | undefined])[] {
  const gone = new Map<string, T>();
  const alone: (readonly [T | undefined, T | undefined])[] = [];
  for (const resource of removed) {
    const key = resourceKey(resource);
    if (gone.has(key)) alone.push([resource, undefined]);
    else gone.set(key, resource);
  }
  const pairs = added.map((resource) => {
    const key = resourceKey(resource);
    const before = gone.get(key);
    gone.delete(key);
    return [before, resource] as const;
  });
  return [
    ...alone,
    ...[...gone.values()].map((resource) => [resource, undefined] as const),
    ...pairs,
  ];
}

export function resourceKey({ kind, metadata }: AnyResource): string {
  return `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
}
