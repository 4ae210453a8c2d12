// Create, replace, apply, patch and delete: one etcd transaction each, compare-and-swap on the revision.
import {
  type AnyResource,
  changeProblems,
  handlePath,
  KINDS,
  type Kind,
  keyOf,
  keyTitle,
  parseResource,
  parseStored,
  type ResourceKey,
  resourcePath,
  ValidationError,
} from '@calico/model';
import { RpcError } from '@calico/rpc';
import { type Comparison, type Entry, type Operation, type PrefixComparison } from '@calico/store';
import { deleteRefusal, writeRefusal } from '../core/built_in.ts';
import { type Birth, birthOf, documentToStore, sayTheSame } from '../core/documents.ts';
import { endpointProblem } from '../core/endpoint_owner.ts';
import { resourceAt, type StoredResource } from '../core/stored_resource.ts';
import {
  type GuardOptions,
  mirrors,
  NO_GUARDS,
  throwProblems,
  WriteGuards,
} from './write_guards.ts';

export type WriterOptions = GuardOptions & {
  /** Identity of a new object. */
  readonly birth: () => Birth;
};

type Intent = 'create' | 'replace' | 'apply';
type Written = { readonly resource: StoredResource; readonly changed: boolean };

const ATTEMPTS = 10;

export class ResourceWriter {
  readonly #options: WriterOptions;
  readonly #guards: WriteGuards;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#guards = new WriteGuards(options);
  }

  /** Checks a user's document without writing it. */
  check(json: string): AnyResource {
    return parseResource(parseJson(json));
  }

  /** `ipamHandle`: must hold the endpoint's addresses when the transaction commits; '': not looked at. */
  async write(resource: AnyResource, intent: Intent, ipamHandle = ''): Promise<Written> {
    const key = keyOf(resource);
    const path = resourcePath(key);
    return this.#retrying(key, async () => {
      const { entry, before, held, guards } = await this.#examine(resource, intent, ipamHandle);
      if (entry !== undefined && guards === undefined) {
        return { resource: readBack(path, entry.value, entry.modRevision), changed: false };
      }
      const birth = this.#options.birth();
      const value = documentToStore(
        resource,
        before === undefined ? birth : birthOf(before, birth),
      );
      const revision = await this.#commit(
        [{ key: path, modRevision: entry?.modRevision ?? 0n }, ...held, ...(guards?.compare ?? [])],
        [{ kind: 'put', key: path, value }, ...(guards?.operations ?? []), ...mirrors(resource)],
      );
      return revision === undefined
        ? undefined
        : { resource: readBack(path, value, revision), changed: true };
    });
  }

  /** Checks a document as an apply after the earlier ones does; writes nothing. */
  async rehearse(resource: AnyResource, earlier: readonly AnyResource[]): Promise<void> {
    await this.#examine(resource, 'apply', '', earlier);
  }

  /** What a write meets. Without guards, what is stored says the same already. */
  async #examine(
    resource: AnyResource,
    intent: Intent,
    ipamHandle: string,
    earlier: readonly AnyResource[] = [],
  ) {
    const key = keyOf(resource);
    refuseReadOnly(key);
    const refused = writeRefusal(key);
    if (refused !== undefined)
      throw new RpcError('FAILED_PRECONDITION', `Cannot write ${keyTitle(key)}: ${refused}`);
    const [entry, held] = await Promise.all([
      this.#options.store.get(resourcePath(key)),
      this.#heldBy(resource, ipamHandle),
    ]);
    const before = entry === undefined ? undefined : readable(key.kind, entry);
    refuseIntent(intent, key, entry);
    refuseRevision(resource, key, entry);
    if (before !== undefined && sayTheSame(before, resource)) return { entry, before, held };
    if (before !== undefined) throwProblems(key, changeProblems(before, resource));
    return { entry, before, held, guards: await this.#guards.forWrite(resource, entry, earlier) };
  }

  /** Changes an existing resource by a function of its present document. */
  async modify(key: ResourceKey, change: (document: unknown) => unknown): Promise<StoredResource> {
    return this.#retrying(key, async () => {
      const current = await this.#options.reader.get(key);
      if (current === undefined) throw notFound(key);
      const changed = parseResource(change(JSON.parse(current.json)));
      if (keyTitle(keyOf(changed)) !== keyTitle(key)) {
        throw new RpcError(
          'INVALID_ARGUMENT',
          `Cannot patch ${keyTitle(key)}: kind, namespace and name cannot be changed`,
        );
      }
      try {
        return (await this.write(changed, 'replace')).resource;
      } catch (cause) {
        // The revision read above is in the document: somebody was faster, so patch what he wrote.
        if (cause instanceof RpcError && cause.code === 'ABORTED') return undefined;
        throw cause;
      }
    });
  }

  async delete(
    key: ResourceKey,
    condition: { readonly revision: bigint; readonly uid: string },
  ): Promise<bigint> {
    refuseReadOnly(key);
    const refused = deleteRefusal(key);
    if (refused !== undefined)
      throw new RpcError('FAILED_PRECONDITION', `Cannot delete ${keyTitle(key)}: ${refused}`);
    const path = resourcePath(key);
    return this.#retrying(key, async () => {
      const entry = await this.#options.store.get(path);
      if (entry === undefined) throw notFound(key);
      const { revision, uid } = condition;
      if (revision !== 0n && revision !== entry.modRevision)
        throw conflict(key, String(revision), entry);
      const resource = readable(key.kind, entry);
      if (uid !== '' && resource?.metadata.uid !== uid) {
        throw new RpcError(
          'ABORTED',
          `Cannot delete ${keyTitle(key)}: its uid is "${resource?.metadata.uid}", not "${uid}"`,
        );
      }
      const along = resource === undefined ? NO_GUARDS : await this.#guards.forRemoval(resource);
      return this.#commit(
        [{ key: path, modRevision: entry.modRevision }, ...along.compare],
        [{ kind: 'delete', key: path }, ...along.operations],
        along.unchanged,
      );
    });
  }

  /** That its addresses are still assigned when an endpoint is written. */
  async #heldBy(resource: AnyResource, ipamHandle: string): Promise<Comparison[]> {
    if (ipamHandle === '') return [];
    const key = handlePath(ipamHandle);
    const entry = await this.#options.store.get(key);
    const problem = endpointProblem(resource, ipamHandle, entry?.value);
    if (problem !== undefined) {
      throw new RpcError(
        'FAILED_PRECONDITION',
        `Cannot write ${keyTitle(keyOf(resource))}: ${problem}`,
      );
    }
    return [{ key, modRevision: entry?.modRevision ?? 0n }];
  }

  /** The revision, or undefined when somebody else changed one of the compared keys. */
  async #commit(
    compare: readonly Comparison[],
    operations: readonly Operation[],
    unchanged: readonly PrefixComparison[] = [],
  ): Promise<bigint | undefined> {
    const result = await this.#options.store.commit({ compare, unchanged, operations });
    return result.kind === 'committed' ? result.revision : undefined;
  }

  async #retrying<T>(key: ResourceKey, attempt: () => Promise<T | undefined>): Promise<T> {
    for (let count = 0; count < ATTEMPTS; count++) {
      const done = await attempt();
      if (done !== undefined) return done;
    }
    throw new RpcError(
      'ABORTED',
      `Cannot change ${keyTitle(key)}: others changed it ${ATTEMPTS} times meanwhile, try again`,
    );
  }
}

export function notFound(key: ResourceKey): RpcError {
  return new RpcError('NOT_FOUND', `Cannot find ${keyTitle(key)}: it does not exist`);
}

function conflict(key: ResourceKey, expected: string, { modRevision }: Entry): RpcError {
  return new RpcError(
    'ABORTED',
    `Cannot change ${keyTitle(key)}: metadata.resourceVersion "${expected}" is not the current one, ${modRevision}; read it again and repeat the change`,
  );
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch (cause) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `Cannot read the document: it is not JSON: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** The stored document; undefined for what another writer left unreadable, which may be replaced or deleted. */
function readable(kind: Kind, { value }: Entry): AnyResource | undefined {
  try {
    return parseStored(kind, value);
  } catch (cause) {
    if (cause instanceof ValidationError) return undefined;
    throw cause;
  }
}

function readBack(path: string, value: string, revision: bigint): StoredResource {
  const resource = resourceAt(path, value, revision);
  if (resource === undefined) throw new TypeError(`Cannot read back "${path}": it is no resource`);
  return resource;
}

function refuseReadOnly(key: ResourceKey): void {
  if (KINDS[key.kind].readOnly) {
    throw new RpcError(
      'FAILED_PRECONDITION',
      `Cannot write ${keyTitle(key)}: the ipam service alone changes it`,
    );
  }
}

function refuseIntent(intent: Intent, key: ResourceKey, entry: Entry | undefined): void {
  if (intent === 'create' && entry !== undefined) {
    throw new RpcError('ALREADY_EXISTS', `Cannot create ${keyTitle(key)}: it exists already`);
  }
  if (intent === 'replace' && entry === undefined) throw notFound(key);
}

function refuseRevision(resource: AnyResource, key: ResourceKey, entry: Entry | undefined): void {
  const { resourceVersion } = resource.metadata;
  if (resourceVersion === undefined || resourceVersion === '' || entry === undefined) return;
  if (resourceVersion !== String(entry.modRevision)) throw conflict(key, resourceVersion, entry);
}
