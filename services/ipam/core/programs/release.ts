// Releasing: by address within one block, or by handle. Block and handles change together.
import {
  type Address,
  addressAt,
  formatAddress,
  ordinalOf,
  type Prefix,
  prefixOf,
} from '@calico/ip';
import { attributeOf, isHeld, ordinalsOfHandle } from '../block_algebra.ts';
import { release as releaseAddresses } from '../cooldown.ts';
import { IpamError } from '../ipam_error.ts';
import { Draft, type Known, type Program, plan, type Reading } from '../program.ts';
import type { Block } from '../records/block.ts';
import { type Handle, handleBlocks, ownerOfHandle, withCount } from '../records/handle.ts';
import { poolOf } from '../records/ip_pool.ts';
import { blockKey, handleKey } from '../records/keys.ts';
import { CONFIG_KEYS, configOf, POOL_PREFIXES, poolsOf } from './context.ts';
import { giveUp } from './given_up.ts';
import {
  containerOfEndpoint,
  endpointKeyOf,
  ownerKey,
  removeOwner,
  type WorkloadOwner,
} from './owner.ts';
import {
  blockHolding,
  handleOf,
  type StoredBlock,
  storedBlock,
  writeBlock,
  writeHandle,
} from './stored_block.ts';

export type Release = {
  readonly address: Address;
  /** When set, only this handle's assignment is released. */
  readonly handleId: string | undefined;
  /** When set, only the assignment with this number is released. */
  readonly sequenceNumber: bigint | undefined;
};

/** etcd refuses transactions of more than 128 operations; one handle is one operation. */
export const MAX_RELEASES = 100;

/** The block of every address; addresses that no block holds are left out. */
export function* locate(addresses: readonly Address[]): Program<ReadonlyMap<Address, Prefix>> {
  const pools = poolsOf(yield { prefixes: POOL_PREFIXES });
  const guesses = addresses.flatMap((address) => {
    const pool = poolOf(pools, address);
    return pool === undefined ? [] : [[address, prefixOf(address, pool.blockSize)] as const];
  });
  const known = yield { keys: [...new Set(guesses.map(([, cidr]) => blockKey(cidr)))] };
  const found = new Map(guesses.filter(([, cidr]) => known.get(blockKey(cidr)) !== undefined));
  for (const address of addresses) {
    if (found.has(address)) continue;
    const stored: StoredBlock | undefined = yield* blockHolding(address);
    if (stored !== undefined) found.set(address, stored.block.cidr);
  }
  return { value: found };
}

/** Releases at most MAX_RELEASES addresses of one block. Answers what was not theirs to release. */
export function* releaseFromBlock(
  cidr: Prefix,
  releases: readonly Release[],
  now: number,
): Program<readonly Address[]> {
  const known = yield { keys: [blockKey(cidr), ...CONFIG_KEYS] };
  const stored = storedBlock(cidr, known);
  if (stored === undefined) return { value: releases.map(({ address }) => address) };
  const { block, entry } = stored;
  const fitting = releases.filter((release) => fits(block, release));
  const refused = releases.filter((release) => !fitting.includes(release));
  const ordinals = fitting.map(({ address }) => ordinalOf(cidr, address));
  const draft = new Draft();
  if (ordinals.length > 0) {
    const after = releaseAddresses(block, ordinals, now, configOf(known).cooldownMs);
    writeBlock(draft, after, entry);
    yield* writeHandles(draft, block, after, ordinals);
  }
  return plan(
    refused.map(({ address }) => address),
    draft,
  );
}

function* writeHandles(
  draft: Draft,
  before: Block,
  after: Block,
  ordinals: readonly number[],
): Reading<void> {
  const handleIds = new Set(
    ordinals.flatMap((ordinal) => attributeOf(before, ordinal)?.handleId ?? []),
  );
  const usable = [...handleIds].filter((id) => id !== '' && !id.includes('/'));
  const known = yield { keys: usable.map(handleKey) };
  for (const handleId of usable) {
    const entry = known.get(handleKey(handleId));
    if (entry !== undefined) writeHandle(draft, handleOf(handleId, known), [after], entry);
  }
}

function fits(block: Block, { address, handleId, sequenceNumber }: Release): boolean {
  const ordinal = ordinalOf(block.cidr, address);
  const attribute = attributeOf(block, ordinal);
  if (attribute === undefined || !isHeld(attribute)) return false;
  if (handleId !== undefined && attribute.handleId !== handleId) return false;
  return sequenceNumber === undefined || block.sequenceNumbers[ordinal] === sequenceNumber;
}

/** Who releases a handle, beside the handle itself. */
export type Leaving = {
  /** Its record is deleted in the transaction that frees the last address. */
  readonly owner?: WorkloadOwner | undefined;
  /** An assignment whose outcome is not known must not take effect any more. */
  readonly isFenced?: boolean;
  /** Only if the workload that the handle names has no endpoint. */
  readonly isUnused?: boolean;
};

export type HandleRelease = {
  readonly released: readonly string[];
  /** Blocks of the handle that are still to be released; repeat. */
  readonly remaining: number;
  /** When the owner's record was deleted. */
  readonly ownerRevision?: bigint;
};

/** Workloads have one or two; more are released in several transactions. */
const BLOCKS_AT_ONCE = 16;

/**
 * Releases what the handle holds in its first blocks, and forgets these blocks in the handle.
 * @throws IpamError 'precondition' when it must be unused and is not
 */
export function* releaseHandle(
  handleId: string,
  now: number,
  leaving: Leaving = {},
): Program<HandleRelease> {
  const { owner, isFenced = false, isUnused = false } = leaving;
  const key = handleKey(handleId);
  const ownerKeys = owner === undefined ? [] : [ownerKey(owner)];
  const known = yield { keys: [key, ...CONFIG_KEYS, ...ownerKeys] };
  const entry = known.get(key);
  const handle = handleOf(handleId, known);
  const cidrs = handleBlocks(handle);
  const first = cidrs.slice(0, BLOCKS_AT_ONCE);
  const remaining = cidrs.length - first.length;
  const draft = new Draft();
  if (isUnused) yield* refuseUsed(draft, handle);
  const around = yield { keys: first.map(blockKey) };
  const { cooldownMs } = configOf(known);
  const { released, changed, gone } = freeAll(draft, handleId, first, around, (block, ordinals) =>
    releaseAddresses(block, ordinals, now, cooldownMs),
  );
  if (entry === undefined) {
    draft.expect(key, undefined);
  } else {
    const left = gone.reduce((one, cidr) => withCount(one, cidr, 0), handle);
    writeHandle(draft, left, changed, entry);
  }
  const isLast = remaining === 0;
  if (isLast && isFenced) yield* giveUp(draft, handleId, now);
  const isOwnerGone = isLast && owner !== undefined && removeOwner(draft, owner, known);
  const value = { released, remaining };
  return {
    ...plan<HandleRelease>(value, draft),
    ...(isOwnerGone ? { valueAt: (ownerRevision) => ({ ...value, ownerRevision }) } : {}),
  };
}

function* refuseUsed(draft: Draft, handle: Handle): Reading<void> {
  const owner = ownerOfHandle(handle);
  if (owner === undefined) return;
  const key = endpointKeyOf(owner);
  const endpoint = (yield { keys: [key] }).get(key);
  draft.expect(key, endpoint);
  if (endpoint === undefined || containerOfEndpoint(endpoint.value) !== owner.containerId) return;
  throw new IpamError(
    'precondition',
    `Cannot release handle "${handle.handleId}": workload endpoint "${owner.namespace}/${owner.endpoint}" has its addresses`,
  );
}

/** Frees the handle's addresses in these blocks. */
function freeAll(
  draft: Draft,
  handleId: string,
  cidrs: readonly Prefix[],
  around: Known,
  free: (block: Block, ordinals: readonly number[]) => Block,
) {
  const released: string[] = [];
  const changed: Block[] = [];
  const gone: Prefix[] = [];
  for (const cidr of cidrs) {
    const stored = storedBlock(cidr, around);
    if (stored === undefined) {
      draft.expect(blockKey(cidr), undefined);
      gone.push(cidr);
      continue;
    }
    const ordinals = ordinalsOfHandle(stored.block, handleId);
    const after = free(stored.block, ordinals);
    if (ordinals.length > 0) writeBlock(draft, after, stored.entry);
    else draft.expect(stored.entry.key, stored.entry);
    changed.push(after);
    released.push(...ordinals.map((ordinal) => formatAddress(addressAt(cidr, ordinal))));
  }
  return { released, changed, gone };
}
