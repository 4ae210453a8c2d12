import { create } from '@bufbuild/protobuf';
import { resourceSubject, SubjectError } from '@calico/bus';
import {
  KINDS,
  keyOf,
  keyText,
  parseStored,
  type ResourceKey,
  ValidationError,
} from '@calico/model';
import { type ResourceEvent, ResourceEventSchema } from '@calico/proto/events/v1/events';
import { keyAt, resourceAt } from '../core/stored_resource.ts';

// What NATS refuses would stop everything behind it: its default max_payload is 1 MiB, and a control
// line, subject and reply included, has at most 4,096 bytes.
const MAX_DOCUMENT_BYTES = 1_000_000;
const MAX_SUBJECT_LENGTH = 2_000;

/** One message for the stream. */
export type Change = {
  readonly kind: 'put' | 'removed';
  readonly subject: string;
  readonly key: ResourceKey;
  /** Of a WorkloadEndpoint. */
  readonly node: string | undefined;
  readonly revision: bigint;
  readonly event: ResourceEvent;
};

/** What an entry of etcd means for the stream. */
export type ReadEntry =
  | { readonly kind: 'put'; readonly change: Change }
  /** Nothing that nodes need. */
  | { readonly kind: 'not-relayed' }
  /** A resource that cannot be read; for nodes it does not exist. */
  | { readonly kind: 'unreadable'; readonly key: ResourceKey; readonly reason: string };

export function readEntry(path: string, value: string, revision: bigint): ReadEntry {
  const key = relayedKeyAt(path);
  if (key === undefined) return { kind: 'not-relayed' };
  const unreadable = (why: string): ReadEntry => ({
    kind: 'unreadable',
    key,
    reason: `Cannot relay "${path}": ${why}`,
  });
  const stored = resourceAt(path, value, revision);
  if (stored === undefined) return unreadable('not a JSON object');
  try {
    // The document goes out as it lies there; parsing shows that nodes will be able to read it.
    const resource = parseStored(key.kind, stored.json);
    if (keyText(keyOf(resource)) !== keyText(key)) {
      return unreadable(`its document is of "${keyText(keyOf(resource))}"`);
    }
    const node = resource.kind === 'WorkloadEndpoint' ? resource.spec.node : undefined;
    if (resource.kind === 'WorkloadEndpoint' && node === '') return unreadable('no spec.node');
    const change = putOf(key, node, revision, stored.json);
    const bytes = Buffer.byteLength(stored.json);
    if (bytes > MAX_DOCUMENT_BYTES) {
      return unreadable(`${bytes} bytes, expected at most ${MAX_DOCUMENT_BYTES}`);
    }
    if (change.subject.length > MAX_SUBJECT_LENGTH) return unreadable('its names are too long');
    return { kind: 'put', change };
  } catch (cause) {
    if (!(cause instanceof ValidationError || cause instanceof SubjectError)) throw cause;
    return unreadable(cause.message);
  }
}

/** The resource at an etcd key if nodes need its kind. */
export function relayedKeyAt(path: string): ResourceKey | undefined {
  const key = keyAt(path);
  return key !== undefined && KINDS[key.kind].consumers.length > 0 ? key : undefined;
}

export function removalOf(
  { key, node }: { readonly key: ResourceKey; readonly node: string | undefined },
  revision: bigint,
): Change {
  const value = { key, revision };
  const event = create(ResourceEventSchema, { event: { case: 'removed', value } });
  return { kind: 'removed', subject: resourceSubject(key, node), key, node, revision, event };
}

function putOf(key: ResourceKey, node: string | undefined, revision: bigint, json: string): Change {
  const value = { ...key, revision, json };
  const event = create(ResourceEventSchema, { event: { case: 'put', value } });
  return { kind: 'put', subject: resourceSubject(key, node), key, node, revision, event };
}
