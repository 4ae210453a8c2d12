// Between a user's document and what is stored.
import type { AnyResource } from '@calico/model';

export type Birth = { readonly uid: string; readonly creationTimestamp: string };

/** What the server owns in metadata; everything else is the user's. */
const SERVER_OWNED = [
  'resourceVersion',
  'uid',
  'creationTimestamp',
  'generation',
  'managedFields',
  'selfLink',
];

/** The document to store: identity kept from before or given by birth, no resourceVersion (it is the key's revision). */
export function documentToStore(resource: AnyResource, birth: Birth): string {
  const { resourceVersion: _, ...metadata } = resource.metadata;
  return JSON.stringify({ ...resource, metadata: { ...metadata, ...birth } });
}

/** Identity of what is stored already; a foreign writer may have left it out. */
export function birthOf(resource: AnyResource, otherwise: Birth): Birth {
  const { uid = otherwise.uid, creationTimestamp = otherwise.creationTimestamp } =
    resource.metadata;
  return { uid, creationTimestamp };
}

/** Whether two documents say the same but for what the server owns. */
export function sayTheSame(a: AnyResource, b: AnyResource): boolean {
  return canonical(a) === canonical(b);
}

function canonical(resource: AnyResource): string {
  const metadata = Object.fromEntries(
    Object.entries(resource.metadata).filter(([name]) => !SERVER_OWNED.includes(name)),
  );
  return JSON.stringify(sorted({ ...resource, metadata }));
}

/** The value with members in order of name, absent ones left out. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(
    members
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
}
