// AssignIp: one given address, in the block that holds it.
import { type Address, formatAddress, formatPrefix, ordinalOf, prefixOf } from '@calico/ip';
import { assignAddress, attributeOf, isHeld, type Owner } from '../block_algebra.ts';
import { thawed } from '../cooldown.ts';
import { IpamError } from '../ipam_error.ts';
import { Draft, type Known, type Program, plan } from '../program.ts';
import { CONFIRMED, hostAffinity } from '../records/affinity.ts';
import { type Block, newBlock } from '../records/block.ts';
import { poolOf, type Use } from '../records/ip_pool.ts';
import { affinityKey, blockKey, givenUpKey, handleKey } from '../records/keys.ts';
import type { AssignedAddress } from './auto_assign.ts';
import { CONFIG_KEYS, configOf, POOL_PREFIXES, poolsOf, type StoredPool } from './context.ts';
import { markElsewhere, type NodeSightings } from './elsewhere.ts';
import { unlessGivenUp } from './given_up.ts';
import { ownedBy, type WorkloadOwner } from './owner.ts';
import { handleOf, storedBlock, writeBlock, writeHandle } from './stored_block.ts';

export type AssignIpRequest = {
  readonly address: Address;
  readonly node: string;
  readonly owner: Owner;
  /** As in AssignRequest. */
  readonly workload?: WorkloadOwner | undefined;
  /** Undefined: not checked against the pool. */
  readonly use: Use | undefined;
  /** As in AssignRequest. */
  readonly sightings?: NodeSightings | undefined;
};

export function* assignIp(request: AssignIpRequest, now: number): Program<AssignedAddress> {
  const { address, node, owner } = request;
  const known = yield {
    keys: [...CONFIG_KEYS, handleKey(owner.handleId), givenUpKey(owner.handleId)],
    presumedAbsent: [handleKey(owner.handleId), givenUpKey(owner.handleId)],
    prefixes: POOL_PREFIXES,
  };
  const pool = usablePool(request, poolsOf(known));
  const cidr = prefixOf(address, pool.blockSize);
  const around = yield { keys: [blockKey(cidr), affinityKey(node, cidr)] };
  const found = storedBlock(cidr, around);
  const { cooldownMs } = configOf(known);
  const stored = found && { ...found, block: thawed(found.block, now, cooldownMs) };
  const answer = {
    address: formatAddress(address),
    block: formatPrefix(cidr),
    pool: pool.name,
  };
  if (stored !== undefined && holds(stored.block, address, owner)) return { value: answer };
  refuseUnusable(request, pool, stored?.block, known);

  const draft = new Draft();
  const block = stored?.block ?? newBlock(cidr, hostAffinity(node), now);
  const assigned = assignAddress(block, address, owner);
  if (assigned === undefined) throw taken(block, address);
  writeBlock(draft, assigned, stored?.entry);
  if (stored === undefined) {
    const key = affinityKey(node, cidr);
    draft.put(key, around.get(key), CONFIRMED);
  } else if (block.affinity !== hostAffinity(node)) {
    yield* markElsewhere(draft, node, now, request.sightings);
  }
  const handle = ownedBy(handleOf(owner.handleId, known), request.workload, node, now);
  writeHandle(draft, handle, [assigned], known.get(handleKey(owner.handleId)));
  unlessGivenUp(draft, owner.handleId, known);
  draft.expect(pool.entry.key, pool.entry);
  return plan(answer, draft);
}

function usablePool({ address }: AssignIpRequest, pools: readonly StoredPool[]): StoredPool {
  const pool = poolOf(pools, address);
  if (pool === undefined) {
    const all = pools.map(({ name, cidr }) => `${name} ${formatPrefix(cidr)}`).join(', ') || 'none';
    throw new IpamError(
      'not-found',
      `Cannot assign address "${formatAddress(address)}": it is in no pool; pools: ${all}`,
    );
  }
  return pool;
}

function refuseUnusable(
  { address, node, use }: AssignIpRequest,
  pool: StoredPool,
  block: Block | undefined,
  known: Known,
): void {
  const text = formatAddress(address);
  if (pool.disabled) {
    throw new IpamError(
      'precondition',
      `Cannot assign address "${text}": pool "${pool.name}" is disabled`,
    );
  }
  if (use !== undefined && !pool.allowedUses.includes(use)) {
    throw new IpamError(
      'precondition',
      `Cannot assign address "${text}" for use ${use}: pool "${pool.name}" allows ${pool.allowedUses.join(', ')}`,
    );
  }
  if (block !== undefined && attributeOf(block, ordinalOf(block.cidr, address)) !== undefined) {
    throw taken(block, address);
  }
  const isOthers = block !== undefined && block.affinity !== hostAffinity(node);
  if (isOthers && configOf(known).strictAffinity) {
    throw new IpamError(
      'precondition',
      `Cannot assign address "${text}" to node "${node}": block ${formatPrefix(block.cidr)} belongs to ${block.affinity ?? 'nobody'} and strictAffinity is on`,
    );
  }
}

function holds(block: Block, address: Address, owner: Owner): boolean {
  const attribute = attributeOf(block, ordinalOf(block.cidr, address));
  return attribute !== undefined && isHeld(attribute) && attribute.handleId === owner.handleId;
}

function taken(block: Block, address: Address): IpamError {
  const attribute = attributeOf(block, ordinalOf(block.cidr, address));
  const owner = attribute?.handleId ?? 'an assignment without handle';
  const state =
    attribute === undefined || isHeld(attribute)
      ? `assigned to "${owner}"`
      : `cooling down after its release by "${owner}"`;
  return new IpamError(
    'already-exists',
    `Cannot assign address "${formatAddress(address)}": it is ${state}`,
  );
}
