// AutoAssign: one step takes from at most one block per family, and writes block, handle and, for a
// new block, affinity in one transaction. The caller repeats steps until `isComplete`.
import {
  addressAt,
  type Family,
  formatAddress,
  formatPrefix,
  type Prefix,
  prefixContains,
} from '@calico/ip';
import {
  type Assignment,
  assignFree,
  isEmpty,
  type Owner,
  ordinalsOfHandle,
} from '../block_algebra.ts';
import { Draft, type Entry, type Known, type Program, plan, type Reading } from '../program.ts';
import { affinityState, CONFIRMED, hostAffinity } from '../records/affinity.ts';
import type { Block } from '../records/block.ts';
import { handleBlocks } from '../records/handle.ts';
import { poolOf, type Use } from '../records/ip_pool.ts';
import type { IpamConfig } from '../records/ipam_config.ts';
import {
  affinitiesPrefix,
  affinityKey,
  blockKey,
  cidrOfKey,
  givenUpKey,
  handleKey,
  nodeKey,
} from '../records/keys.ts';
import { reservedIn } from '../records/reservation.ts';
import { topologyOf } from '../topology.ts';
import { BlockListing, claimed, existingBlock } from './block_search.ts';
import { borrow } from './borrow.ts';
import {
  CONFIG_KEYS,
  configOf,
  eligiblePools,
  POOL_PREFIXES,
  poolsOf,
  reservationsOf,
  type StoredPool,
  selectionKeys,
  selectsNode,
} from './context.ts';
import { markElsewhere, type NodeSightings } from './elsewhere.ts';
import { findBlock } from './find_block.ts';
import { unlessGivenUp } from './given_up.ts';
import { ownedBy, type WorkloadOwner } from './owner.ts';
import {
  handleOf,
  readableBlock,
  type StoredBlock,
  writeBlock,
  writeHandle,
} from './stored_block.ts';

export type AssignRequest = {
  readonly node: string;
  readonly owner: Owner;
  /** Whose the addresses are; undefined: the node's own, or another's that is not known. */
  readonly workload?: WorkloadOwner | undefined;
  readonly namespace: string;
  readonly use: Use;
  /** Addresses wanted and pools named, by family. */
  readonly wanted: Readonly<Record<Family, { count: number; pools: readonly string[] }>>;
  /** 0: the configured limit. */
  readonly maxBlocks: number;
  /** The request's own, for all of its attempts; undefined: there is one attempt. */
  readonly sightings?: NodeSightings | undefined;
};

export type AssignedAddress = {
  readonly address: string;
  readonly block: string;
  readonly pool: string;
};

export type AssignStep = {
  readonly addresses: readonly AssignedAddress[];
  /** By family that cannot get more: why. */
  readonly obstacles: ReadonlyMap<Family, string>;
  readonly isComplete: boolean;
};

/** What one family takes in this step. */
type Taking = {
  readonly held: readonly AssignedAddress[];
  readonly block: Block | undefined;
  readonly isEnough: boolean;
  readonly obstacle: string | undefined;
};

export function* assignStep(request: AssignRequest, now: number): Program<AssignStep> {
  const families = ([4, 6] as const).filter((family) => request.wanted[family].count > 0);
  const { handleId } = request.owner;
  const known = yield {
    keys: [...CONFIG_KEYS, ...selectionKeys(request), handleKey(handleId), givenUpKey(handleId)],
    presumedAbsent: [handleKey(handleId), givenUpKey(handleId)],
    prefixes: POOL_PREFIXES,
  };
  const handle = handleOf(handleId, known);
  const draft = new Draft();
  const takings = new Map<Family, Taking>();
  for (const family of families) {
    const held = handleBlocks(handle).filter((cidr) => cidr.family === family);
    const taker = new Taker(request, family, known, draft, now);
    takings.set(family, yield* taker.take(held));
  }
  const written = [...takings.values()].flatMap(({ block }) => block ?? []);
  if (written.length > 0) {
    const owned = ownedBy(handle, request.workload, request.node, now);
    writeHandle(draft, owned, written, known.get(handleKey(handleId)));
    unlessGivenUp(draft, handleId, known);
  }
  return plan(summary(takings), draft);
}

function summary(takings: ReadonlyMap<Family, Taking>): AssignStep {
  const all = [...takings.values()];
  return {
    addresses: all.flatMap(({ held }) => held),
    obstacles: new Map(
      [...takings].flatMap(([family, { obstacle }]) =>
        obstacle === undefined ? [] : [[family, obstacle]],
      ),
    ),
    isComplete: all.every(({ isEnough, obstacle }) => isEnough || obstacle !== undefined),
  };
}

/** A block that the node's affinity record names. */
type Affine = { readonly cidr: Prefix; readonly record: Entry };

// An entry stays the same object while it is kept in memory: its key is read once.
const affines = new WeakMap<Entry, readonly Affine[]>();

function affineOf(record: Entry): readonly Affine[] {
  const known = affines.get(record);
  if (known !== undefined) return known;
  const cidr = cidrOfKey(record.key);
  const made = cidr === undefined ? [] : [{ cidr, record }];
  affines.set(record, made);
  return made;
}

class Taker {
  readonly #request: AssignRequest;
  readonly #family: Family;
  readonly #known: Known;
  readonly #draft: Draft;
  readonly #now: number;
  readonly #pools: readonly StoredPool[];
  readonly #reserved: readonly Prefix[];
  /** What decides whether released addresses are free again. */
  readonly #age: { readonly now: number; readonly cooldownMs: number };
  readonly #listing = new BlockListing();
  /** The node's affinity records. */
  #affinities: readonly Entry[] = [];

  constructor(request: AssignRequest, family: Family, known: Known, draft: Draft, now: number) {
    this.#request = request;
    this.#family = family;
    this.#known = known;
    this.#draft = draft;
    this.#now = now;
    this.#pools = poolsOf(known);
    this.#reserved = reservationsOf(known);
    this.#age = { now, cooldownMs: configOf(known).cooldownMs };
  }

  *take(handleCidrs: readonly Prefix[]): Reading<Taking> {
    const held = yield* this.#held(handleCidrs);
    const missing = this.#request.wanted[this.#family].count - held.length;
    if (missing <= 0) return { held, block: undefined, isEnough: true, obstacle: undefined };
    const pools = this.#eligible();
    const taken =
      (yield* this.#fromOwn(pools, missing)) ?? (yield* this.#fromElsewhere(pools, missing));
    if (typeof taken === 'string') {
      return { held, block: undefined, isEnough: false, obstacle: taken };
    }
    const added = taken.ordinals.map((ordinal) => this.#describe(taken.block, ordinal));
    return {
      held: [...held, ...added],
      block: taken.block,
      isEnough: added.length >= missing,
      obstacle: undefined,
    };
  }

  *#held(cidrs: readonly Prefix[]): Reading<readonly AssignedAddress[]> {
    if (cidrs.length === 0) return [];
    const blocks = yield { keys: cidrs.map(blockKey) };
    const { owner } = this.#request;
    return cidrs.flatMap((cidr) => this.#heldIn(blocks.get(blockKey(cidr)), owner));
  }

  #eligible(): StoredPool[] {
    const { node, namespace, use, wanted } = this.#request;
    const explicit = wanted[this.#family].pools;
    return eligiblePools({ node, namespace, use, family: this.#family, explicit }, this.#known);
  }

  /** The blocks before the one with room are only guessed to be full: they need not be compared. */
  *#fromOwn(pools: readonly StoredPool[], count: number): Reading<Assignment | undefined> {
    const prefix = affinitiesPrefix(this.#request.node, this.#family);
    this.#affinities = (yield { prefixes: [prefix], isGuess: true }).list(prefix);
    const own = this.#affinities.flatMap(affineOf);
    const blocks = yield { keys: own.map(({ cidr }) => blockKey(cidr)), isGuess: true };
    for (const pool of pools) {
      for (const { cidr, record } of own) {
        if (!prefixContains(pool.cidr, cidr)) continue;
        const mine = this.#ownBlock(blocks.get(blockKey(cidr)));
        const taken = mine === undefined ? undefined : this.#assign(mine.block, count);
        if (mine === undefined || taken === undefined || taken.ordinals.length === 0) continue;
        writeBlock(this.#draft, taken.block, mine.entry);
        this.#confirmAffinity(record.key, record);
        this.#draft.expect(pool.entry.key, pool.entry);
        return taken;
      }
    }
    return undefined;
  }

  *#fromElsewhere(pools: readonly StoredPool[], count: number): Reading<Assignment | string> {
    const prefix = affinitiesPrefix(this.#request.node, this.#family);
    this.#affinities = (yield { prefixes: [prefix] }).list(prefix);
    const keys = this.#affinities.flatMap(affineOf).map(({ cidr }) => blockKey(cidr));
    const blocks = yield { keys };
    const own = keys.flatMap((key) => this.#ownBlock(blocks.get(key)) ?? []);
    return (
      (yield* this.#fromNewBlock(own, pools, count)) ?? (yield* this.#fromOthers(pools, count))
    );
  }

  #ownBlock(entry: Entry | undefined): StoredBlock | undefined {
    const found = entry === undefined ? undefined : existingBlock(entry, this.#age);
    return found?.block.affinity === hostAffinity(this.#request.node) ? found : undefined;
  }

  *#fromNewBlock(own: readonly StoredBlock[], pools: readonly StoredPool[], count: number) {
    const config = configOf(this.#known);
    if (!config.autoAllocateBlocks) return undefined;
    const limit = blockLimit(config, this.#request.maxBlocks);
    const counted = own.filter(({ block }) => poolOf(pools, block.cidr) !== undefined);
    if (counted.length >= limit) {
      return config.strictAffinity ? limitReached(limit) : undefined;
    }
    const { node } = this.#request;
    const found = yield* findBlock({
      node,
      pools,
      own: own.map(({ block }) => block.cidr),
      reserved: this.#reserved,
      ...this.#age,
      topology: topologyOf(this.#known.get(nodeKey(node))?.value, config.topologyLabel),
      topologyLabel: config.topologyLabel,
      listing: this.#listing,
    });
    if (found === undefined) return undefined;
    const { cidr, pool, existing, previous } = found;
    const mine = claimed(found, node, this.#now);
    const taken = this.#assign(mine, count);
    writeBlock(this.#draft, taken.block, existing?.entry);
    this.#confirmAffinity(affinityKey(node, cidr), this.#affinityOf(cidr));
    if (previous !== undefined) this.#draft.delete(previous.key, previous);
    this.#draft.expect(pool.entry.key, pool.entry);
    this.#giveBackStrays(own);
    return taken;
  }

  /** Empty blocks of pools that do not select the node any more go when it takes a new one. */
  #giveBackStrays(own: readonly StoredBlock[]): void {
    const { node, wanted } = this.#request;
    if (wanted[this.#family].pools.length > 0) return;
    for (const { block, entry } of own) {
      const pool = poolOf(this.#pools, block.cidr);
      if (!isEmpty(block) || pool === undefined || selectsNode(pool, node, this.#known)) continue;
      this.#draft.delete(entry.key, entry);
      const record = this.#affinityOf(block.cidr);
      if (record !== undefined) this.#draft.delete(record.key, record);
    }
  }

  *#fromOthers(pools: readonly StoredPool[], count: number) {
    const config = configOf(this.#known);
    if (config.strictAffinity) return 'No more free affine blocks and strict affinity enabled';
    const { node, maxBlocks } = this.#request;
    const lender = yield* borrow(pools, node, this.#reserved, {
      ...this.#age,
      listing: this.#listing,
    });
    if (lender !== undefined) {
      const taken = this.#assign(lender.block, count);
      writeBlock(this.#draft, taken.block, lender.entry);
      yield* markElsewhere(this.#draft, node, this.#now, this.#request.sightings);
      this.#draft.expect(lender.pool.entry.key, lender.pool.entry);
      return taken;
    }
    const all = pools.map(({ cidr }) => formatPrefix(cidr)).join(' ');
    const owned = this.#affinities.length;
    const limit = blockLimit(config, maxBlocks);
    return owned >= limit
      ? `${limitReached(limit)}; No IPs available in pools: [${all}]`
      : `No IPs available in pools: [${all}]`;
  }

  #assign(block: Block, count: number) {
    const reserved = reservedIn(block.cidr, this.#reserved);
    return assignFree(block, count, this.#request.owner, reserved);
  }

  /** Writes the affinity record unless it is there and confirmed; either way it must not change. */
  #confirmAffinity(key: string, entry: Entry | undefined): void {
    if (entry !== undefined && affinityState(entry.value) === 'confirmed') {
      this.#draft.expect(key, entry);
    } else {
      this.#draft.put(key, entry, CONFIRMED);
    }
  }

  #affinityOf(cidr: Prefix): Entry | undefined {
    const key = affinityKey(this.#request.node, cidr);
    return this.#affinities.find((found) => found.key === key);
  }

  #heldIn(entry: Entry | undefined, owner: Owner): AssignedAddress[] {
    const found = entry === undefined ? undefined : readableBlock(entry);
    if (found === undefined) return [];
    return ordinalsOfHandle(found.block, owner.handleId).map((ordinal) =>
      this.#describe(found.block, ordinal),
    );
  }

  #describe(block: Block, ordinal: number): AssignedAddress {
    return {
      address: formatAddress(addressAt(block.cidr, ordinal)),
      block: formatPrefix(block.cidr),
      pool: poolOf(this.#pools, block.cidr)?.name ?? '',
    };
  }
}

export function blockLimit(config: IpamConfig, requested: number): number {
  return requested > 0 ? Math.min(requested, config.maxBlocksPerHost) : config.maxBlocksPerHost;
}

export function limitReached(limit: number): string {
  return `Need to allocate an IPAM block but could not - limit of ${limit} blocks reached for this node`;
}
