// Create, replace, apply, patch and delete: one etcd transaction each, compare-and-swap on the revision.
import {
  type AnyResource,
  changeProblems,
  handlePath,
  type IPPool,
  ipPoolProblems,
  KINDS,
  type Kind,
  keyOf,
  keyTitle,
  parseResource,
  parseStored,
  type ResourceKey,
  resourcePath,
  resourcePrefix,
  ValidationError,
} from '@calico/model';
import { RpcError } from '@calico/rpc';
import {
  type Comparison,
  type Entry,
  MAX_OPERATIONS,
  type Operation,
  type PrefixComparison,
  type Store,
} from '@calico/store';
import { deleteRefusal, writeRefusal } from '../core/built_in.ts';
import { type Birth, birthOf, documentToStore, sayTheSame } from '../core/documents.ts';
import { endpointProblem } from '../core/endpoint_owner.ts';
import { LEGACY_IPAM_CONFIG_PATH, legacyIpamConfig } from '../core/legacy_ipam_config.ts';
import { nodeRemovalProblem } from '../core/node_removal.ts';
import { blockPathsStart, planPoolRemoval } from '../core/pool_removal.ts';
import { resourceAt, type StoredResource } from '../core/stored_resource.ts';
import type { ResourceReader } from './resource_reader.ts';

export type WriterOptions = {
  readonly store: Store;
  readonly reader: ResourceReader;
  /** Identity of a new object. */
  readonly birth: () => Birth;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

type Intent = 'create' | 'replace' | 'apply';
type Written = { readonly resource: StoredResource; readonly changed: boolean };

/** Serialises changes of the set of pools, so that two at once cannot overlap. */
const POOLS_GUARD = '/calico-ts/guards/ippools';
const ATTEMPTS = 10;

export class ResourceWriter {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
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
    return { entry, before, held, guards: await this.#guards(resource, entry, earlier) };
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
      const along = resource === undefined ? NO_GUARDS : await this.#removedAlong(resource);
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

  /** Rules between documents: what must not change meanwhile is compared in the same transaction. */
  async #guards(
    resource: AnyResource,
    before: Entry | undefined,
    earlier: readonly AnyResource[],
  ): Promise<Guards> {
    switch (resource.kind) {
      case 'IPPool':
        return before === undefined ? this.#poolGuards(resource, earlier) : NO_GUARDS;
      case 'NetworkPolicy':
      case 'GlobalNetworkPolicy': {
        const { tier } = resource.spec;
        const isEarlier = earlier.some(
          ({ kind, metadata }) => kind === 'Tier' && metadata.name === tier,
        );
        return isEarlier ? NO_GUARDS : this.#tierGuards(resource, tier);
      }
      default:
        return NO_GUARDS;
    }
  }

  async #poolGuards(pool: IPPool, earlier: readonly AnyResource[]): Promise<Guards> {
    const { store } = this.#options;
    const guard = await store.get(POOLS_GUARD);
    const { entries } = await store.list(resourcePrefix('IPPool'));
    throwProblems(
      keyOf(pool),
      ipPoolProblems(pool, [
        ...entries.map(({ value }) => parseStored('IPPool', value)),
        ...earlier.filter((each) => each.kind === 'IPPool'),
      ]),
    );
    return {
      compare: [{ key: POOLS_GUARD, modRevision: guard?.modRevision ?? 0n }],
      operations: [{ kind: 'put', key: POOLS_GUARD, value: pool.metadata.name }],
    };
  }

  async #tierGuards(policy: AnyResource, tier: string): Promise<Guards> {
    const path = resourcePath({ kind: 'Tier', namespace: '', name: tier });
    const entry = await this.#options.store.get(path);
    if (entry === undefined) {
      throwProblems(keyOf(policy), [
        { field: 'spec.tier', value: tier, message: 'no such Tier; create it first' },
      ]);
    }
    return { compare: [{ key: path, modRevision: entry?.modRevision ?? 0n }], operations: [] };
  }

  async #removedAlong(resource: AnyResource): Promise<Guards> {
    if (resource.kind === 'Tier') await this.#refuseTierInUse(resource.metadata.name);
    if (resource.kind === 'Node') await this.#refuseNodeInUse(resource.metadata.name);
    if (resource.kind === 'IPAMConfiguration') return MIRROR_REMOVED;
    return resource.kind === 'IPPool' ? this.#blocksOf(resource) : NO_GUARDS;
  }

  async #refuseTierInUse(tier: string): Promise<void> {
    for (const kind of ['NetworkPolicy', 'GlobalNetworkPolicy'] as const) {
      const { entries } = await this.#options.store.list(resourcePrefix(kind));
      const user = entries
        .map(({ value }) => parseStored(kind, value))
        .find(({ spec }) => (spec.tier ?? 'default') === tier);
      if (user !== undefined) {
        throw new RpcError(
          'FAILED_PRECONDITION',
          `Cannot delete Tier "${tier}": ${keyTitle(keyOf(user))} is in it; delete or move its policies first`,
        );
      }
    }
  }

  async #refuseNodeInUse(node: string): Promise<void> {
    const { entries } = await this.#options.store.list(resourcePrefix('WorkloadEndpoint'));
    const problem = nodeRemovalProblem(
      node,
      entries.flatMap(({ key, value, modRevision }) => resourceAt(key, value, modRevision) ?? []),
    );
    if (problem !== undefined) throw new RpcError('FAILED_PRECONDITION', problem);
  }

  async #blocksOf(pool: IPPool): Promise<Guards> {
    const { reader, now } = this.#options;
    const { resources, revision: since } = await reader.list(
      { kind: 'IPAMBlock', namespace: '' },
      Number.MAX_SAFE_INTEGER,
      '',
    );
    const blocks = resources.map(({ json }) => parseStored('IPAMBlock', json));
    const { inUse, busyBlocks, emptyBlocks } = planPoolRemoval(pool, blocks, now());
    if (inUse > 0) {
      throw new RpcError(
        'FAILED_PRECONDITION',
        `Cannot delete IPPool "${pool.metadata.name}": ${inUse} of its addresses are in use (blocks ${busyBlocks.join(', ')}…); ` +
          'set spec.disabled to true so that no more are given out, and delete their workloads first',
      );
    }
    // What does not fit into one transaction stays: blocks of no pool are harmless and can be released.
    const fitting = emptyBlocks.slice(0, Math.floor((MAX_OPERATIONS - 1) / 2));
    const revisions = new Map(resources.map(({ key, revision }) => [key.name, revision]));
    return {
      compare: fitting.map(({ block }) => ({
        key: block,
        modRevision: revisionOf(block, revisions),
      })),
      // An assignment compares the pool, which it does not write: one that commits before this
      // transaction is seen by the block that it created or changed.
      unchanged: [{ prefix: blockPathsStart(pool), since }],
      operations: fitting.flatMap(({ block, affinity }) => [
        { kind: 'delete' as const, key: block },
        ...(affinity === undefined ? [] : [{ kind: 'delete' as const, key: affinity }]),
      ]),
    };
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

type Guards = {
  readonly compare: readonly Comparison[];
  readonly operations: readonly Operation[];
  readonly unchanged?: readonly PrefixComparison[];
};
const NO_GUARDS: Guards = { compare: [], operations: [] };
/** Settings that are gone hold no longer in their copy either. */
const MIRROR_REMOVED: Guards = {
  compare: [],
  operations: [{ kind: 'delete', key: LEGACY_IPAM_CONFIG_PATH }],
};

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

function throwProblems(
  key: ResourceKey,
  problems: ConstructorParameters<typeof ValidationError>[1],
): void {
  if (problems.length > 0) throw new ValidationError(keyTitle(key), problems);
}

/** Copies for readers that know only an older place. */
function mirrors(resource: AnyResource): Operation[] {
  if (resource.kind !== 'IPAMConfiguration') return [];
  return [{ kind: 'put', key: LEGACY_IPAM_CONFIG_PATH, value: legacyIpamConfig(resource) }];
}

function revisionOf(blockPathText: string, revisions: ReadonlyMap<string, bigint>): bigint {
  const name = blockPathText.slice(blockPathText.lastIndexOf('/') + 1).replaceAll(/[.:]/g, '-');
  return revisions.get(name) ?? 0n;
}
