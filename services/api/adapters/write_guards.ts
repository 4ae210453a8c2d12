// Rules between documents: what has to be as it is when a write or a deletion commits, and what goes along.
import {
  type AnyResource,
  type IPPool,
  ipPoolProblems,
  keyOf,
  keyTitle,
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
import { LEGACY_IPAM_CONFIG_PATH, legacyIpamConfig } from '../core/legacy_ipam_config.ts';
import { nodeRemovalProblem } from '../core/node_removal.ts';
import { blockPathsStart, planPoolRemoval } from '../core/pool_removal.ts';
import { resourceAt } from '../core/stored_resource.ts';
import type { ResourceReader } from './resource_reader.ts';

export type GuardOptions = {
  readonly store: Store;
  readonly reader: ResourceReader;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

export type Guards = {
  readonly compare: readonly Comparison[];
  readonly operations: readonly Operation[];
  readonly unchanged?: readonly PrefixComparison[];
};
export const NO_GUARDS: Guards = { compare: [], operations: [] };
/** Settings that are gone hold no longer in their copy either. */
const MIRROR_REMOVED: Guards = {
  compare: [],
  operations: [{ kind: 'delete', key: LEGACY_IPAM_CONFIG_PATH }],
};

/** Serialises changes of the set of pools, so that two at once cannot overlap. */
const POOLS_GUARD = '/calico-ts/guards/ippools';

export class WriteGuards {
  readonly #options: GuardOptions;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Rules between documents: what must not change meanwhile is compared in the same transaction. */
  async forWrite(
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

  async forRemoval(resource: AnyResource): Promise<Guards> {
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
}

export function throwProblems(
  key: ResourceKey,
  problems: ConstructorParameters<typeof ValidationError>[1],
): void {
  if (problems.length > 0) throw new ValidationError(keyTitle(key), problems);
}

function revisionOf(blockPathText: string, revisions: ReadonlyMap<string, bigint>): bigint {
  const name = blockPathText.slice(blockPathText.lastIndexOf('/') + 1).replaceAll(/[.:]/g, '-');
  return revisions.get(name) ?? 0n;
}

/** Copies for readers that know only an older place. */
export function mirrors(resource: AnyResource): Operation[] {
  if (resource.kind !== 'IPAMConfiguration') return [];
  return [{ kind: 'put', key: LEGACY_IPAM_CONFIG_PATH, value: legacyIpamConfig(resource) }];
}
