// ResourceService on top of reader and writer.
import { findKind, KINDS, type Kind, keyTitle, parseStored, type ResourceKey } from '@calico/model';
import {
  type ResourceKey as KeyMessage,
  PatchType,
  type Resource as ResourceMessage,
  type ResourceService,
} from '@calico/proto/api/v1/resources';
import { RpcError, type ServiceHandlers } from '@calico/rpc';
import { MAX_REVISION } from '@calico/store';
import jsonPatch, { type Operation } from 'fast-json-patch';
import { mergePatch } from '../core/merge_patch.ts';
import type { StoredResource } from '../core/stored_resource.ts';
import { answering, refusal } from './refusal.ts';
import { MAX_PAGE, type ResourceReader, type Selection } from './resource_reader.ts';
import { notFound, type ResourceWriter } from './resource_writer.ts';

export type HandlerOptions = {
  readonly reader: ResourceReader;
  readonly writer: ResourceWriter;
  readonly version: string;
};

/** etcd refuses larger requests (--max-request-bytes, 1.5 MiB by default). */
const MAX_DOCUMENT_BYTES = 1_000_000;

export function createHandlers({
  reader,
  writer,
  version,
}: HandlerOptions): ServiceHandlers<typeof ResourceService> {
  const write = (
    message: ResourceMessage | undefined,
    intent: 'create' | 'replace' | 'apply',
    ipamHandle = '',
  ) => answering(async () => writer.write(writer.check(documentOf(message)), intent, ipamHandle));
  return {
    get: ({ key }, { signal }) =>
      answering(async () => {
        const wanted = keyOf(key);
        const found = await reader.get(wanted, signal);
        if (found === undefined) throw notFound(wanted);
        return { resource: toMessage(found) };
      }),

    list: ({ kind, namespace, limit, pageToken }, { signal }) =>
      answering(async () => {
        const most = limit === 0 ? MAX_PAGE : Math.min(limit, MAX_PAGE);
        const { resources, revision, next } = await reader.list(
          selectionOf(kind, namespace),
          most,
          pageToken,
          signal,
        );
        return { resources: resources.map(toMessage), revision, nextPageToken: next };
      }),

    async *watch({ kind, namespace, fromRevision }, { signal }) {
      if (fromRevision >= MAX_REVISION) {
        throw new RpcError(
          'INVALID_ARGUMENT',
          `Cannot watch: from_revision "${fromRevision}": expected less than ${MAX_REVISION}`,
        );
      }
      try {
        for await (const change of reader.watch(
          selectionOf(kind, namespace),
          fromRevision,
          signal,
        )) {
          switch (change.kind) {
            case 'put':
              yield { event: { case: 'put', value: toMessage(change.resource) } };
              break;
            case 'removed':
              yield {
                event: { case: 'removed', value: { key: change.key, revision: change.revision } },
              };
              break;
            default:
              yield { event: { case: 'bookmark', value: { revision: change.revision } } };
          }
        }
      } catch (cause) {
        if (!signal.aborted) throw refusal(cause);
      }
    },

    create: async ({ resource }) => ({
      resource: toMessage((await write(resource, 'create')).resource),
    }),
    replace: async ({ resource }) => ({
      resource: toMessage((await write(resource, 'replace')).resource),
    }),
    apply: async ({ resource, ipamHandle }) => {
      const { resource: stored, changed } = await write(resource, 'apply', ipamHandle);
      return { resource: toMessage(stored), changed };
    },

    patch: ({ key, type, patch }) =>
      answering(async () => {
        const wanted = keyOf(key);
        return { resource: toMessage(await writer.modify(wanted, patcher(wanted, type, patch))) };
      }),

    delete: ({ key, revision, uid }) =>
      answering(async () => ({ revision: await writer.delete(keyOf(key), { revision, uid }) })),

    validate: ({ resource, earlier }) =>
      answering(async () => {
        const checked = writer.check(documentOf(resource));
        await writer.rehearse(
          checked,
          earlier.map((each) => writer.check(documentOf(each))),
        );
        const { kind, metadata } = checked;
        const { name, namespace = '' } = metadata;
        return { resource: { kind, name, namespace, json: JSON.stringify(checked) } };
      }),

    getVersion: (_request, { signal }) =>
      answering(async () => {
        const key = { kind: 'ClusterInformation', namespace: '', name: 'default' } as const;
        const stored = await reader.get(key, signal);
        const json = stored?.json ?? '{"metadata":{"name":"default"}}';
        const { clusterGUID = '', clusterType = '' } = parseStored('ClusterInformation', json).spec;
        return { version, clusterGuid: clusterGUID, clusterType };
      }),
  };
}

function patcher(key: ResourceKey, type: PatchType, patch: string): (document: unknown) => unknown {
  const parsed = parsePatch(key, patch);
  switch (type) {
    case PatchType.MERGE:
    case PatchType.STRATEGIC:
      return (document) => mergePatch(document, parsed);
    case PatchType.JSON:
      return (document) => {
        try {
          return jsonPatch.applyPatch(document, parsed as Operation[], true, false).newDocument;
        } catch (cause) {
          throw new RpcError(
            'INVALID_ARGUMENT',
            `Cannot patch ${keyTitle(key)}: ${patchFault(cause)}`,
            {
              cause,
            },
          );
        }
      };
    default:
      throw new RpcError(
        'INVALID_ARGUMENT',
        `Cannot patch ${keyTitle(key)}: type ${type}: expected MERGE, JSON or STRATEGIC`,
      );
  }
}

/** 'operation 0 {"op":"remove","path":"/spec/x"}: …' */
function patchFault(cause: unknown): string {
  const { index, operation } = cause as { index?: number; operation?: unknown };
  const which = index === undefined ? '' : `operation ${index} ${JSON.stringify(operation)}: `;
  return `${which}${firstLine(cause)}`;
}

function parsePatch(key: ResourceKey, patch: string): unknown {
  try {
    return JSON.parse(patch) as unknown;
  } catch (cause) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Cannot patch ${keyTitle(key)}: patch is not JSON: ${firstLine(cause)}`,
      { cause },
    );
  }
}

function documentOf(message: ResourceMessage | undefined): string {
  const json = message?.json ?? '';
  if (json === '')
    throw new RpcError(
      'INVALID_ARGUMENT',
      'Cannot read the resource: json is empty, expected a v3 document',
    );
  const bytes = new TextEncoder().encode(json).length;
  if (bytes > MAX_DOCUMENT_BYTES) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Cannot accept the document: ${bytes} bytes, expected at most ${MAX_DOCUMENT_BYTES}`,
    );
  }
  return json;
}

function keyOf(message: KeyMessage | undefined): ResourceKey {
  const kind = kindOf(message?.kind ?? '');
  const { namespace = '', name = '' } = message ?? {};
  if (name === '' || name.includes('/')) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Cannot find a ${kind}: key.name "${name}": expected the resource's name`,
    );
  }
  const { namespaced } = KINDS[kind];
  if (namespaced && (namespace === '' || namespace.includes('/'))) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Cannot find ${kind} "${name}": key.namespace "${namespace}": a ${kind} lives in a namespace`,
    );
  }
  return { kind, namespace: namespaced ? namespace : '', name };
}

function selectionOf(kind: string, namespace: string): Selection {
  return { kind: kind === '' ? undefined : kindOf(kind), namespace };
}

function kindOf(name: string): Kind {
  const info = findKind(name);
  if (info !== undefined) return info.kind;
  throw new RpcError(
    'INVALID_ARGUMENT',
    `Cannot use kind "${name}": expected one of ${Object.keys(KINDS).join(', ')}`,
  );
}

function toMessage({ key, revision, json }: StoredResource) {
  return { ...key, revision, json };
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n')[0] ?? '';
}
