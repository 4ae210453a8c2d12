// Blocks and handles as found, with what is needed to write them back.
import { type Address, type Family, type Prefix, prefixOf } from '@calico/ip';
import { isEmpty, ordinalsOfHandle } from '../block_algebra.ts';
import type { Draft, Entry, Known, Reading } from '../program.ts';
import { nodeOfAffinity } from '../records/affinity.ts';
import { type Block, BlockContent, parseBlock } from '../records/block.ts';
import {
  type Handle,
  HandleContent,
  newHandle,
  parseHandle,
  withCount,
} from '../records/handle.ts';
import { affinityKey, blockKey, handleKey } from '../records/keys.ts';

export type StoredBlock = { readonly block: Block; readonly entry: Entry };

/** The block under the key. @throws IpamError 'damaged' */
export function storedBlock(cidr: Prefix, known: Known): StoredBlock | undefined {
  const entry = known.get(blockKey(cidr));
  return entry === undefined ? undefined : { block: blockOf(entry), entry };
}

// An entry stays the same object while it is kept in memory: its block is read once.
const parsed = new WeakMap<Entry, Block>();

function blockOf(entry: Entry): Block {
  if (entry.content instanceof BlockContent) return entry.content.block;
  const block = parsed.get(entry) ?? parseBlock(entry.key, entry.value);
  parsed.set(entry, block);
  return block;
}

/** As `storedBlock()`, but a damaged block is only seen to exist. */
export function readableBlock(entry: Entry): StoredBlock | undefined {
  try {
    return { block: blockOf(entry), entry };
  } catch {
    return undefined;
  }
}

/** The block that holds the address, whatever its size, also when its pool is gone. */
export function* blockHolding(address: Address): Reading<StoredBlock | undefined> {
  const keys = possibleBlocks(address).map(blockKey);
  const known = yield { keys };
  for (const key of keys) {
    const entry = known.get(key);
    if (entry !== undefined) return { block: blockOf(entry), entry };
  }
  return undefined;
}

const SIZES: Readonly<Record<Family, readonly [number, number]>> = { 4: [20, 32], 6: [116, 128] };

/** The blocks of every allowed size around the address, usual sizes first. */
function possibleBlocks(address: Address): Prefix[] {
  const [shortest, longest] = SIZES[address.family];
  const blocks: Prefix[] = [];
  for (let length = shortest; length <= longest; length++) blocks.push(prefixOf(address, length));
  return blocks;
}

/** The handle under the key, or an empty one. @throws IpamError 'damaged' */
export function handleOf(handleId: string, known: Known): Handle {
  const entry = known.get(handleKey(handleId));
  return entry === undefined ? newHandle(handleId) : storedHandle(handleId, entry);
}

/** The handle of the entry. @throws IpamError 'damaged' */
export function storedHandle(handleId: string, entry: Entry): Handle {
  if (entry.content instanceof HandleContent) return entry.content.handle;
  return parseHandle(entry.key, handleId, entry.value);
}

/** Writes the changed block; an empty block of nobody goes away, and its affinity with it. */
export function writeBlock(draft: Draft, block: Block, found: Entry | undefined): void {
  const key = blockKey(block.cidr);
  if (found !== undefined && block.affinity === undefined && isEmpty(block)) {
    draft.delete(key, found);
  } else {
    draft.put(key, found, new BlockContent(block));
  }
}

/** Brings the handle's count for the block in line with the block; without addresses it goes away. */
export function writeHandle(
  draft: Draft,
  handle: Handle,
  blocks: readonly Block[],
  found: Entry | undefined,
): void {
  let changed = handle;
  for (const block of blocks) {
    const count = ordinalsOfHandle(block, handle.handleId).length;
    changed = withCount(changed, block.cidr, count);
  }
  const key = handleKey(handle.handleId);
  if (changed.blocks.size > 0) draft.put(key, found, new HandleContent(changed));
  else if (found !== undefined) draft.delete(key, found);
  else draft.expect(key, found);
}

/** The key of the affinity record that goes with the block; undefined without a node. */
export function affinityKeyOf(block: Block): string | undefined {
  const node = nodeOfAffinity(block.affinity);
  return node === undefined ? undefined : affinityKey(node, block.cidr);
}
