// Addresses that a node holds ready for pods, so that one can start while etcd cannot be reached. They
// are assigned like any other, to a handle of the node, with an attribute that says until when the node
// may give them out on its own. Whoever else releases them waits for that end (cooldown.ts).
import {
  type Address,
  addressAt,
  formatAddress,
  formatPrefix,
  ordinalOf,
  type Prefix,
} from '@calico/ip';
import {
  attributeOf,
  giveTo,
  isHeld,
  type Owner,
  ordinalsOfHandle,
  releaseOrdinals,
  replaceAttributes,
} from '../block_algebra.ts';
import { LEASE_ATTRIBUTE, release } from '../cooldown.ts';
import { IpamError } from '../ipam_error.ts';
import { Draft, type Known, type Program, plan, type Reading } from '../program.ts';
import { type Block, storedTime } from '../records/block.ts';
import { type Handle, handleBlocks } from '../records/handle.ts';
import { poolOf } from '../records/ip_pool.ts';
import { blockKey, givenUpKey, handleKey } from '../records/keys.ts';
import {
  CONFIG_KEYS,
  configOf,
  eligiblePools,
  POOL_PREFIXES,
  poolsOf,
  selectionKeys,
} from './context.ts';
import { unlessGivenUp } from './given_up.ts';
import { ownedBy, type WorkloadOwner } from './owner.ts';
import {
  blockHolding,
  handleOf,
  type StoredBlock,
  storedBlock,
  writeBlock,
  writeHandle,
} from './stored_block.ts';

/** For how long a node may give out what it holds. It renews at half of it. */
export const LEASE_MS = 600_000;

export function warmHandle(node: string): string {
  return `warm-addr-${node}`;
}

/** What the addresses are assigned to. `now` in milliseconds since the epoch. */
export function warmOwner(node: string, now: number): Owner {
  const secondary = { node, type: 'warmAddress', [LEASE_ATTRIBUTE]: storedTime(now + LEASE_MS) };
  return { handleId: warmHandle(node), secondary };
}

export type LeasedAddress = {
  readonly address: string;
  readonly block: string;
  readonly pool: string;
  readonly sequenceNumber: bigint;
  /** Its pool gives no addresses to pods of the node any more: to be returned. */
  readonly retired: boolean;
};

/** How many addresses of each family the node should hold, and whether it holds any. */
export function* warmState(node: string): Program<{ count: number; holdsAny: boolean }> {
  const key = handleKey(warmHandle(node));
  const known = yield { keys: [...CONFIG_KEYS, key] };
  const holdsAny = known.get(key) !== undefined;
  return { value: { count: configOf(known).warmAddresses, holdsAny } };
}

/** Lets the lease of all that the node holds begin now. */
export function* renewLease(node: string, now: number): Program<LeasedAddress[]> {
  const handleId = warmHandle(node);
  const keys = [handleKey(handleId), ...selectionKeys({ node, namespace: '' })];
  const known = yield { keys, prefixes: POOL_PREFIXES };
  const pools = poolsOf(known);
  const draft = new Draft();
  const owner = warmOwner(node, now);
  const leased: LeasedAddress[] = [];
  for (const { block, entry } of yield* blocksOfHandle(handleId, known)) {
    const renewed = replaceAttributes(block, (attribute) =>
      attribute.handleId === handleId && isHeld(attribute)
        ? { ...attribute, secondary: owner.secondary }
        : attribute,
    );
    writeBlock(draft, renewed, entry);
    for (const ordinal of ordinalsOfHandle(block, handleId)) {
      leased.push({
        address: formatAddress(addressAt(block.cidr, ordinal)),
        block: formatPrefix(block.cidr),
        pool: poolOf(pools, block.cidr)?.name ?? '',
        sequenceNumber: block.sequenceNumbers[ordinal] ?? 0n,
        retired: isRetired(block.cidr, node, known),
      });
    }
  }
  return plan(leased, draft);
}

function isRetired(cidr: Prefix, node: string, known: Known): boolean {
  const { family } = cidr;
  const query = { node, namespace: '', use: 'Workload', family, explicit: [] } as const;
  try {
    return poolOf(eligiblePools(query, known), cidr) === undefined;
  } catch (error) {
    if (error instanceof IpamError && error.reason === 'not-found') return true;
    throw error;
  }
}

export type Adoption = {
  readonly node: string;
  readonly owner: Owner;
  /** As in AssignRequest. */
  readonly workload?: WorkloadOwner | undefined;
  readonly addresses: readonly { readonly address: Address; readonly sequenceNumber: bigint }[];
};

/**
 * Makes leased addresses the workload's, all in one transaction. What its handle holds besides is left
 * of an assignment whose answer was lost, and released.
 * @throws IpamError 'not-found' when one of them is leased no more
 */
export function* adopt(adoption: Adoption, now: number): Program<undefined> {
  const { node, owner, workload, addresses } = adoption;
  const from = warmHandle(node);
  const handleIds = [from, owner.handleId];
  const known = yield { keys: [...handleIds.map(handleKey), givenUpKey(owner.handleId)] };
  const blocks = new Map<string, StoredBlock & { changed: Block }>();
  for (const stored of yield* blocksOfHandle(owner.handleId, known)) {
    blocks.set(stored.entry.key, { ...stored, changed: stored.block });
  }
  const adopted = new Set<string>();
  for (const { address, sequenceNumber } of addresses) {
    const found = yield* blockHolding(address);
    const stored = found && (blocks.get(found.entry.key) ?? { ...found, changed: found.block });
    const text = formatAddress(address);
    adopted.add(text);
    if (stored === undefined) throw lost(text, node);
    const { changed } = stored;
    const ordinal = ordinalOf(changed.cidr, address);
    const attribute = attributeOf(changed, ordinal);
    const holder = attribute !== undefined && isHeld(attribute) ? attribute.handleId : undefined;
    const isLeased = holder === from && changed.sequenceNumbers[ordinal] === sequenceNumber;
    if (!isLeased && holder !== owner.handleId) throw lost(text, node);
    const next = isLeased ? giveTo(changed, [ordinal], owner) : changed;
    blocks.set(stored.entry.key, { ...stored, changed: next });
  }
  const draft = new Draft();
  const before = handleOf(owner.handleId, known);
  const handles = [handleOf(from, known), ownedBy(before, workload, node, now)];
  writeAdopted(draft, blocks.values(), adopted, handles, known);
  unlessGivenUp(draft, owner.handleId, known);
  return plan(undefined, draft);
}

function writeAdopted(
  draft: Draft,
  blocks: Iterable<StoredBlock & { changed: Block }>,
  adopted: ReadonlySet<string>,
  handles: readonly Handle[],
  known: Known,
): void {
  const written: Block[] = [];
  for (const { changed, entry, block } of blocks) {
    const surplus = ordinalsOfHandle(changed, handles[1]?.handleId ?? '').filter(
      (ordinal) => !adopted.has(formatAddress(addressAt(changed.cidr, ordinal))),
    );
    const after = releaseOrdinals(changed, surplus);
    written.push(after);
    if (after === block) draft.expect(entry.key, entry);
    else writeBlock(draft, after, entry);
  }
  for (const handle of handles) {
    writeHandle(draft, handle, written, known.get(handleKey(handle.handleId)));
  }
}

/**
 * Releases leased addresses before their lease ends: their node says that it gives them out no more.
 * Those that pods had (`areUsed`) cool down as any pod's.
 */
export function* returnLeased(
  node: string,
  addresses: ReadonlySet<string> | undefined,
  areUsed: boolean,
  now: number,
): Program<string[]> {
  const handleId = warmHandle(node);
  const known = yield { keys: [...CONFIG_KEYS, handleKey(handleId)] };
  const cooldownMs = areUsed ? configOf(known).cooldownMs : 0;
  const unleased = { handleId, secondary: { node } };
  const draft = new Draft();
  const changed: Block[] = [];
  const returned: string[] = [];
  for (const { block, entry } of yield* blocksOfHandle(handleId, known)) {
    const ordinals = ordinalsOfHandle(block, handleId).filter(
      (ordinal) => addresses?.has(formatAddress(addressAt(block.cidr, ordinal))) ?? true,
    );
    if (ordinals.length === 0) continue;
    const after = release(giveTo(block, ordinals, unleased), ordinals, now, cooldownMs);
    writeBlock(draft, after, entry);
    changed.push(after);
    returned.push(...ordinals.map((ordinal) => formatAddress(addressAt(block.cidr, ordinal))));
  }
  const entry = known.get(handleKey(handleId));
  if (changed.length > 0) writeHandle(draft, handleOf(handleId, known), changed, entry);
  return plan(returned, draft);
}

function* blocksOfHandle(handleId: string, known: Known): Reading<StoredBlock[]> {
  const cidrs = handleBlocks(handleOf(handleId, known));
  const blocks = yield { keys: cidrs.map(blockKey) };
  return cidrs.flatMap((cidr) => storedBlock(cidr, blocks) ?? []);
}

function lost(address: string, node: string): IpamError {
  return new IpamError(
    'not-found',
    `Cannot adopt address "${address}": it is not leased to node "${node}" any more`,
  );
}
