// What travels on CALICO_RESOURCES, between bytes and values.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { ResourceKey } from '@calico/model';
import type { Resource } from '@calico/proto/api/v1/resources';
import {
  RelaySyncedSchema,
  type ResourceEvent,
  ResourceEventSchema,
} from '@calico/proto/events/v1/events';
import { MessageError, SubjectError } from './errors.ts';
import { parseResourceSubject } from './subjects.ts';

/** The stream holds at least the state of this etcd at this revision; 0n: nothing is promised yet. */
export type SyncedMarker = { readonly revision: bigint; readonly etcdClusterId: string };

/** The state of one resource: as put, or gone. */
export type ResourceState =
  | {
      readonly kind: 'put';
      readonly key: ResourceKey;
      /** Only of a WorkloadEndpoint. */
      readonly node: string | undefined;
      readonly resource: Resource;
      readonly revision: bigint;
    }
  | {
      readonly kind: 'removed';
      readonly key: ResourceKey;
      readonly node: string | undefined;
      readonly revision: bigint;
    };

export function encodeResourceEvent(event: ResourceEvent): Uint8Array {
  return toBinary(ResourceEventSchema, event);
}

/** Throws MessageError when the bytes are no event, or one of another resource than the subject's. */
export function decodeResourceEvent(subject: string, data: Uint8Array): ResourceState {
  const { key, node } = readSubject(subject);
  const { event } = decode(() => fromBinary(ResourceEventSchema, data), subject);
  switch (event.case) {
    case 'put': {
      const resource = event.value;
      expectKey(subject, key, resource);
      return { kind: 'put', key, node, resource, revision: expectRevision(subject, resource) };
    }
    case 'removed': {
      const removed = event.value;
      if (removed.key === undefined) throw new MessageError(`Cannot read "${subject}": no key`);
      expectKey(subject, key, removed.key);
      return { kind: 'removed', key, node, revision: expectRevision(subject, removed) };
    }
    case undefined:
      throw new MessageError(`Cannot read "${subject}": neither put nor removed`);
    default:
      return event satisfies never;
  }
}

export function encodeSynced({ revision, etcdClusterId }: SyncedMarker): Uint8Array {
  return toBinary(RelaySyncedSchema, create(RelaySyncedSchema, { revision, etcdClusterId }));
}

/** `undefined`: the stream is being filled (revision 0). Throws MessageError. */
export function decodeSynced(data: Uint8Array): SyncedMarker | undefined {
  const { revision, etcdClusterId } = decode(() => fromBinary(RelaySyncedSchema, data), 'marker');
  if (etcdClusterId === '') {
    throw new MessageError('Cannot read the relay marker: no etcd cluster id');
  }
  return revision === 0n ? undefined : { revision, etcdClusterId };
}

function readSubject(subject: string): ReturnType<typeof parseResourceSubject> {
  try {
    return parseResourceSubject(subject);
  } catch (cause) {
    if (!(cause instanceof SubjectError)) throw cause;
    throw new MessageError(cause.message, { cause });
  }
}

function decode<T>(read: () => T, what: string): T {
  try {
    return read();
  } catch (cause) {
    throw new MessageError(`Cannot read "${what}": not the expected protobuf message`, { cause });
  }
}

function expectKey(
  subject: string,
  key: ResourceKey,
  found: { readonly kind: string; readonly namespace: string; readonly name: string },
): void {
  if (found.kind === key.kind && found.namespace === key.namespace && found.name === key.name) {
    return;
  }
  throw new MessageError(
    `Cannot read "${subject}": it holds ${found.kind} "${found.namespace}/${found.name}"`,
  );
}

function expectRevision(subject: string, { revision }: { readonly revision: bigint }): bigint {
  if (revision > 0n) return revision;
  throw new MessageError(`Cannot read "${subject}": revision is 0`);
}
