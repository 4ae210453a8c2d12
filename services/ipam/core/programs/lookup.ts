// Questions that change nothing.
import { type Address, addressAt, formatAddress, formatPrefix, ordinalOf } from '@calico/ip';
import { attributeOf, isHeld, ordinalsOfHandle } from '../block_algebra.ts';
import type { Program } from '../program.ts';
import { handleBlocks } from '../records/handle.ts';
import { poolOf } from '../records/ip_pool.ts';
import { blockKey, handleKey } from '../records/keys.ts';
import type { AssignedAddress } from './auto_assign.ts';
import { POOL_PREFIXES, poolsOf } from './context.ts';
import { blockHolding, handleOf, storedBlock } from './stored_block.ts';

export function* addressesOfHandle(handleId: string): Program<AssignedAddress[]> {
  const known = yield { keys: [handleKey(handleId)], prefixes: POOL_PREFIXES };
  const pools = poolsOf(known);
  const cidrs = handleBlocks(handleOf(handleId, known));
  const blocks = yield { keys: cidrs.map(blockKey) };
  const value = cidrs.flatMap((cidr) => {
    const stored = storedBlock(cidr, blocks);
    if (stored === undefined) return [];
    return ordinalsOfHandle(stored.block, handleId).map((ordinal) => ({
      address: formatAddress(addressAt(cidr, ordinal)),
      block: formatPrefix(cidr),
      pool: poolOf(pools, cidr)?.name ?? '',
    }));
  });
  return { value };
}

export type AssignmentOfAddress =
  | { readonly isAssigned: false; readonly block: string }
  | {
      readonly isAssigned: true;
      readonly block: string;
      readonly handleId: string;
      readonly attributes: Readonly<Record<string, string>>;
      readonly sequenceNumber: bigint;
    };

export function* assignmentOf(address: Address): Program<AssignmentOfAddress> {
  const stored = yield* blockHolding(address);
  if (stored === undefined) return { value: { isAssigned: false, block: '' } };
  const { block } = stored;
  const ordinal = ordinalOf(block.cidr, address);
  const attribute = attributeOf(block, ordinal);
  const cidr = formatPrefix(block.cidr);
  if (attribute === undefined || !isHeld(attribute)) {
    return { value: { isAssigned: false, block: cidr } };
  }
  return {
    value: {
      isAssigned: true,
      block: cidr,
      handleId: attribute.handleId ?? '',
      attributes: attribute.secondary,
      sequenceNumber: block.sequenceNumbers[ordinal] ?? 0n,
    },
  };
}
