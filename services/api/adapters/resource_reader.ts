// Get, list and watch: etcd's entries as resources.
import {
  IPAM_ROOT,
  KINDS,
  type Kind,
  RESOURCE_ROOT,
  type ResourceKey,
  resourcePath,
  resourcePrefix,
} from '@calico/model';
import { RpcError } from '@calico/rpc';
import type { Store } from '@calico/store';
import { formatPageToken, type PagePosition, parsePageToken } from '../core/page_token.ts';
import {
  isMadeFromIpam,
  keyAt,
  resourceAt,
  type StoredResource,
  WATCHED_ROOT,
} from '../core/stored_resource.ts';

export type Selection = {
  /** Undefined: every kind that travels to nodes. */
  readonly kind: Kind | undefined;
  /** '': all. */
  readonly namespace: string;
};

export type Page = {
  readonly resources: readonly StoredResource[];
  readonly revision: bigint;
  readonly next: string;
};

export type Change =
  | { readonly kind: 'put'; readonly resource: StoredResource }
  | { readonly kind: 'removed'; readonly key: ResourceKey; readonly revision: bigint }
  | { readonly kind: 'bookmark'; readonly revision: bigint };

export const MAX_PAGE = 5000;
const IPAM_FOLDERS = [`${IPAM_ROOT}assignment/`, `${IPAM_ROOT}host/`, `${IPAM_ROOT}virtual/`];

export class ResourceReader {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async get(key: ResourceKey, signal?: AbortSignal): Promise<StoredResource | undefined> {
    const options = signal === undefined ? {} : { signal };
    if (isMadeFromIpam(key.kind)) return this.#find(key, options);
    const path = resourcePath(key);
    const entry = await this.#store.get(path, options);
    return entry === undefined ? undefined : resourceAt(path, entry.value, entry.modRevision);
  }

  /** IPAM's records have paths that their names do not tell: looked for among all. */
  async #find(
    key: ResourceKey,
    options: { readonly signal?: AbortSignal },
  ): Promise<StoredResource | undefined> {
    for (const folder of foldersOf({ kind: key.kind, namespace: '' })) {
      const { entries } = await this.#store.list(folder, options);
      const entry = entries.find(
        (each) => keyAt(each.key)?.name === key.name && keyAt(each.key)?.kind === key.kind,
      );
      if (entry !== undefined) return resourceAt(entry.key, entry.value, entry.modRevision);
    }
    return undefined;
  }

  /** One page, exact at its revision; all pages of one list have the revision of the first. */
  async list(
    selection: Selection,
    limit: number,
    pageToken: string,
    signal?: AbortSignal,
  ): Promise<Page> {
    const folders = foldersOf(selection);
    let at = this.#startOf(pageToken, folders.length);
    const resources: StoredResource[] = [];
    while (at.folder < folders.length) {
      const { entries, revision, more } = await this.#store.list(folders[at.folder] ?? '', {
        limit: limit - resources.length,
        ...(at.after === '' ? {} : { after: at.after }),
        ...(at.revision === 0n ? {} : { revision: at.revision }),
        ...(signal === undefined ? {} : { signal }),
      });
      for (const { key, value, modRevision } of entries) {
        const resource = resourceAt(key, value, modRevision);
        if (resource !== undefined && selects(selection, resource.key)) resources.push(resource);
      }
      const fixed = at.revision === 0n ? revision : at.revision;
      at = more
        ? { revision: fixed, folder: at.folder, after: entries.at(-1)?.key ?? '' }
        : { revision: fixed, folder: at.folder + 1, after: '' };
      if (resources.length >= limit) break;
    }
    const next = at.folder < folders.length ? formatPageToken(at) : '';
    return { resources, revision: at.revision, next };
  }

  #startOf(pageToken: string, folderCount: number): PagePosition {
    if (pageToken === '') return { revision: 0n, folder: 0, after: '' };
    const position = parsePageToken(pageToken);
    if (position === undefined || position.folder >= folderCount) {
      throw new RpcError(
        'INVALID_ARGUMENT',
        `Cannot list: page_token "${pageToken}": expected next_page_token of the answer before`,
      );
    }
    return position;
  }

  /** Changes after a revision; with 0 the present state first. Bookmarks say how far it is complete. */
  async *watch(
    selection: Selection,
    fromRevision: bigint,
    signal: AbortSignal,
  ): AsyncIterable<Change> {
    let revision = fromRevision;
    if (revision === 0n) {
      let token = '';
      do {
        const page = await this.list(selection, MAX_PAGE, token, signal);
        for (const resource of page.resources) yield { kind: 'put', resource };
        revision = page.revision;
        token = page.next;
      } while (token !== '');
      yield { kind: 'bookmark', revision };
    }
    for await (const batch of this.#store.watch(watchRoot(selection), revision + 1n, signal)) {
      for (const event of batch.events) {
        const change =
          event.kind === 'put' ? putOf(event.entry) : removedOf(event.key, event.revision);
        if (
          change !== undefined &&
          selects(selection, change.kind === 'put' ? change.resource.key : change.key)
        ) {
          yield change;
        }
      }
      yield { kind: 'bookmark', revision: batch.revision };
    }
  }
}

type KeyedChange = Exclude<Change, { kind: 'bookmark' }>;

function putOf(entry: {
  key: string;
  value: string;
  modRevision: bigint;
}): KeyedChange | undefined {
  const resource = resourceAt(entry.key, entry.value, entry.modRevision);
  return resource === undefined ? undefined : { kind: 'put', resource };
}

function removedOf(path: string, revision: bigint): KeyedChange | undefined {
  const key = keyAt(path);
  return key === undefined ? undefined : { kind: 'removed', key, revision };
}

function selects({ kind, namespace }: Selection, key: ResourceKey): boolean {
  if (kind === undefined) return KINDS[key.kind].consumers.length > 0;
  return key.kind === kind && (namespace === '' || key.namespace === namespace);
}

function foldersOf({ kind, namespace }: Selection): readonly string[] {
  if (kind === undefined) return [RESOURCE_ROOT, ...IPAM_FOLDERS];
  if (kind === 'IPAMBlock') return IPAM_FOLDERS.slice(0, 1);
  if (kind === 'BlockAffinity') return IPAM_FOLDERS.slice(1);
  return [resourcePrefix(kind, namespace)];
}

function watchRoot(selection: Selection): string {
  const [only, ...more] = foldersOf(selection);
  return only === undefined || more.length > 0 ? WATCHED_ROOT : only;
}
