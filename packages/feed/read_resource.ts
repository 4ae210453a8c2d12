import {
  type AnyResource,
  KINDS,
  type Kind,
  keyOf,
  keyText,
  parseStored,
  ValidationError,
} from '@calico/model';
import type { Resource } from '@calico/proto/api/v1/resources';

/** The document of a wire resource, or why it is none. */
export type ReadResource =
  | { readonly kind: 'resource'; readonly resource: AnyResource }
  | { readonly kind: 'garbage'; readonly reason: string };

/** Shape is checked leniently: other writers' fields are kept. */
export function readResource(wire: Resource): ReadResource {
  const { kind, namespace, name, json } = wire;
  if (!Object.hasOwn(KINDS, kind)) return garbage(wire, 'no such kind');
  const key = { kind: kind as Kind, namespace, name };
  try {
    const resource = parseStored(key.kind, json);
    if (keyText(keyOf(resource)) !== keyText(key)) {
      return garbage(wire, `its document is of "${keyText(keyOf(resource))}"`);
    }
    return { kind: 'resource', resource };
  } catch (cause) {
    if (!(cause instanceof ValidationError)) throw cause;
    return garbage(wire, cause.message);
  }
}

function garbage({ kind, namespace, name }: Resource, why: string): ReadResource {
  return { kind: 'garbage', reason: `Cannot read ${kind} "${namespace}/${name}": ${why}` };
}
