// Repair of single contradictions, each in one transaction that compares what the repair rests on.
import { type Address, formatAddress, formatPrefix, ordinalOf, type Prefix } from '@calico/ip';
import { RESOURCE_ROOT, workloadEndpointName } from '@calico/model';
import { attributeOf, isHeld, ordinalsOfHandle } from '../block_algebra.ts';
import { release } from '../cooldown.ts';
import { Draft, type Known, type Program, plan, type Reading } from '../program.ts';
import { CONFIRMED, nodeOfAffinity } from '../records/affinity.ts';
import type { Attribute } from '../records/block.ts';
import { handleBlocks, ownerOfHandle, withCount } from '../records/handle.ts';
import { affinityKey, blockKey, cidrOfKey, handleKey, nodeKey } from '../records/keys.ts';
import { endpointKeyOf } from './owner.ts';
import { blockHolding, handleOf, readableBlock, writeBlock, writeHandle } from './stored_block.ts';

/** Undefined: repaired. Otherwise why not. */
export type Repair = Program<string | undefined>;

/** An assignment younger than this may belong to a workload that is about to be written. */
const MIN_AGE_MS = 120_000;

const CHANGED = 'it changed since the report';

export type LeakedAddress = {
  readonly address: Address;
  /** Empty: without one. */
  readonly handleId: string;
  readonly sequenceNumber: bigint;
};

/** Releases the address if this assignment of it still exists. `force`: however young it is. */
export function* releaseLeaked(leak: LeakedAddress, force: boolean, now: number): Repair {
  const { address, handleId, sequenceNumber } = leak;
  const stored = yield* blockHolding(address);
  if (stored === undefined) return { value: 'it is not assigned' };
  const { block, entry } = stored;
  const ordinal = ordinalOf(block.cidr, address);
  const attribute = attributeOf(block, ordinal);
  if (attribute === undefined || !isHeld(attribute)) return { value: 'it is not assigned' };
  const isSame =
    (attribute.handleId ?? '') === handleId &&
    (block.sequenceNumbers[ordinal] ?? 0n) === sequenceNumber;
  if (!isSame) return { value: 'it was assigned again since the report' };
  if (!force && isYoung(attribute, now)) {
    return {
      value: `it was assigned less than ${MIN_AGE_MS / 1000} s ago; use --force to release it`,
    };
  }
  const draft = new Draft();
  const hasHandle = handleId !== '' && !handleId.includes('/');
  const known = yield { keys: hasHandle ? [handleKey(handleId)] : [] };
  const handle = hasHandle ? handleOf(handleId, known) : undefined;
  const owner = handle === undefined ? undefined : ownerOfHandle(handle);
  const endpoints = owner === undefined ? [] : [endpointKeyOf(owner)];
  const user = yield* userOf(address, attribute, endpoints, draft);
  if (user !== undefined) return { value: `it is in use by ${user}` };
  const after = release(block, [ordinal], now, 0);
  writeBlock(draft, after, entry);
  if (handle !== undefined) {
    const found = known.get(handleKey(handleId));
    if (found !== undefined) writeHandle(draft, handle, [after], found);
  }
  return plan(undefined, draft);
}

function isYoung({ secondary }: Attribute, now: number): boolean {
  const assigned = Date.parse(secondary['timestamp'] ?? '');
  return now - assigned < MIN_AGE_MS;
}

/**
 * The workload or node that the assignment names, if it exists and names the address in turn. It must
 * be as it is when the transaction commits.
 */
function* userOf(
  address: Address,
  { secondary }: Attribute,
  endpoints: readonly string[],
  draft: Draft,
): Reading<string | undefined> {
  const { node, pod, namespace } = secondary;
  const keys = [...endpoints];
  if (node !== undefined) keys.push(nodeKey(node));
  if (node !== undefined && pod !== undefined && namespace !== undefined) {
    const identity = { node, orchestrator: 'k8s', pod, endpoint: 'eth0' };
    keys.push(`${RESOURCE_ROOT}workloadendpoints/${namespace}/${workloadEndpointName(identity)}`);
  }
  const known: Known = yield { keys };
  const text = new RegExp(`"${formatAddress(address).replaceAll('.', '\\.')}(/[0-9]+)?"`);
  for (const key of keys) {
    const entry = known.get(key);
    draft.expect(key, entry);
    if (entry !== undefined && text.test(entry.value)) return key.slice(RESOURCE_ROOT.length);
  }
  return undefined;
}

/**
 * Makes the handle's record say what the blocks hold; without addresses the record goes. `cidrs`: where
 * addresses of it may be, besides the blocks that it names. `revision`: of the record; 0n: none.
 */
export function* recountHandle(
  handleId: string,
  cidrs: readonly Prefix[],
  revision: bigint,
): Repair {
  const key = handleKey(handleId);
  const known = yield { keys: [key] };
  const entry = known.get(key);
  if ((entry?.modRevision ?? 0n) !== revision) return { value: CHANGED };
  const before = handleOf(handleId, known);
  const all = new Map(
    [...handleBlocks(before), ...cidrs].map((cidr) => [blockKey(cidr), cidr] as const),
  );
  const around = yield { keys: [...all.keys()] };
  const draft = new Draft();
  let handle = before;
  for (const [blockAt, cidr] of all) {
    const found = around.get(blockAt);
    draft.expect(blockAt, found);
    const stored = found === undefined ? undefined : readableBlock(found);
    if (found !== undefined && stored === undefined) {
      return { value: `block ${formatPrefix(cidr)} cannot be read` };
    }
    const count = stored === undefined ? 0 : ordinalsOfHandle(stored.block, handleId).length;
    handle = withCount(handle, cidr, count);
  }
  writeHandle(draft, handle, [], entry);
  return plan(undefined, draft);
}

/** Deletes a node's record of a block that does not exist or is another's. */
export function* deleteAffinity(key: string, revision: bigint): Repair {
  const cidr = cidrOfKey(key);
  if (cidr === undefined) return { value: 'it is no affinity' };
  const known = yield { keys: [key, blockKey(cidr)] };
  const entry = known.get(key);
  const block = known.get(blockKey(cidr));
  if (entry === undefined || entry.modRevision !== revision) return { value: CHANGED };
  const stored = block === undefined ? undefined : readableBlock(block);
  const owner = nodeOfAffinity(stored?.block.affinity);
  if (owner !== undefined && affinityKey(owner, cidr) === key) {
    return { value: 'the block is of this node' };
  }
  const draft = new Draft();
  draft.delete(key, entry);
  draft.expect(blockKey(cidr), block);
  return plan(undefined, draft);
}

/** Writes the record of a block that its node lacks. `revision`: of the block. */
export function* writeAffinity(cidr: Prefix, revision: bigint): Repair {
  const known = yield { keys: [blockKey(cidr)] };
  const entry = known.get(blockKey(cidr));
  if (entry === undefined || entry.modRevision !== revision) return { value: CHANGED };
  const node = nodeOfAffinity(readableBlock(entry)?.block.affinity);
  if (node === undefined) return { value: 'the block is of no node' };
  const key = affinityKey(node, cidr);
  const found = (yield { keys: [key] }).get(key);
  const draft = new Draft();
  draft.put(key, found, CONFIRMED);
  draft.expect(entry.key, entry);
  return plan(undefined, draft);
}
