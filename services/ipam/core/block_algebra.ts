// What can be done to a block. Pure: a block goes in, a new block comes out.
import { type Address, addressAt, ordinalOf } from '@calico/ip';
import { type Attribute, type Block, storedTime } from './records/block.ts';
import { withNumber } from './records/sequence_numbers.ts';

export type Owner = {
  readonly handleId: string;
  readonly secondary: Readonly<Record<string, string>>;
};

/** Addresses that must not be given out automatically. */
export type Reserved = (address: Address) => boolean;

export const nothingReserved: Reserved = () => false;

export type Assignment = { readonly block: Block; readonly ordinals: readonly number[] };

/** Assigns up to `count` free addresses in the order of the free list. */
export function assignFree(
  block: Block,
  count: number,
  owner: Owner,
  reserved: Reserved = nothingReserved,
): Assignment {
  let taken: number[] = [];
  let unallocated: number[] = [];
  if (reserved === nothingReserved) {
    taken = block.unallocated.slice(0, count);
    unallocated = block.unallocated.slice(count);
  } else {
    for (const ordinal of block.unallocated) {
      const usable = taken.length < count && !reserved(addressAt(block.cidr, ordinal));
      (usable ? taken : unallocated).push(ordinal);
    }
  }
  if (taken.length === 0) return { block, ordinals: [] };
  return { block: { ...give(block, taken, owner), unallocated }, ordinals: taken };
}

/** Assigns one given free address. Answers undefined when it is not free. */
export function assignAddress(block: Block, address: Address, owner: Owner): Block | undefined {
  const ordinal = ordinalOf(block.cidr, address);
  if (!block.unallocated.includes(ordinal)) return undefined;
  const unallocated = block.unallocated.filter((free) => free !== ordinal);
  return { ...give(block, [ordinal], owner), unallocated };
}

/** Frees assigned ordinals. Their attributes go when nobody else refers to them. */
export function releaseOrdinals(block: Block, ordinals: readonly number[]): Block {
  const freed = [...new Set(ordinals)].filter((ordinal) => block.allocations[ordinal] != null);
  if (freed.length === 0) return block;
  const allocations = [...block.allocations];
  for (const ordinal of freed) allocations[ordinal] = null;
  return {
    ...block,
    ...withoutUnusedAttributes(allocations, block.attributes),
    unallocated: [...block.unallocated, ...freed],
    sequenceNumbers: withNumber(block.sequenceNumbers, freed, undefined),
    sequenceNumber: block.sequenceNumber + 1n,
  };
}

/** Gives ordinals, held or not, to another owner. */
export function giveTo(block: Block, ordinals: readonly number[], owner: Owner): Block {
  const given = give(block, ordinals, owner);
  return { ...given, ...withoutUnusedAttributes(given.allocations, given.attributes) };
}

/** The block with other attributes in the place of those it has. */
export function replaceAttributes(block: Block, replace: (one: Attribute) => Attribute): Block {
  return {
    ...block,
    attributes: block.attributes.map(replace),
    sequenceNumber: block.sequenceNumber + 1n,
  };
}

/** The block given to another owner, or to nobody. */
export function withAffinity(block: Block, affinity: string | undefined, now: number): Block {
  return {
    ...block,
    affinity,
    affinityClaimTime: affinity === undefined ? undefined : storedTime(now),
    sequenceNumber: block.sequenceNumber + 1n,
  };
}

/** Ordinals that the handle holds, in order. */
export function ordinalsOfHandle(block: Block, handleId: string): number[] {
  const { allocations, attributes } = block;
  const found: number[] = [];
  for (let ordinal = 0; ordinal < allocations.length; ordinal++) {
    const index = allocations[ordinal];
    if (index == null) continue;
    const attribute = attributes[index];
    if (attribute?.handleId === handleId && isHeld(attribute)) found.push(ordinal);
  }
  return found;
}

/** Who holds the ordinal; undefined when it is free. */
export function attributeOf(block: Block, ordinal: number): Attribute | undefined {
  const index = block.allocations[ordinal];
  return index == null ? undefined : block.attributes[index];
}

/** False while an address only cools down after its release. */
export function isHeld(attribute: Attribute): boolean {
  return attribute.releasedAt === undefined;
}

/** Nothing of the block is in use or cooling down. */
export function isEmpty(block: Block): boolean {
  return block.unallocated.length === block.allocations.length;
}

/** Somebody holds an address of the block. */
export function isInUse(block: Block): boolean {
  return !isEmpty(block) && block.attributes.some(isHeld);
}

/** How many addresses can be given out automatically. */
export function countFree(block: Block, reserved: Reserved = nothingReserved): number {
  if (reserved === nothingReserved) return block.unallocated.length;
  return block.unallocated.filter((ordinal) => !reserved(addressAt(block.cidr, ordinal))).length;
}

function give(block: Block, ordinals: readonly number[], owner: Owner): Block {
  const { attributes, index } = findOrAddAttribute(block.attributes, owner);
  const allocations = [...block.allocations];
  for (const ordinal of ordinals) allocations[ordinal] = index;
  return {
    ...block,
    allocations,
    attributes,
    sequenceNumbers: withNumber(block.sequenceNumbers, ordinals, block.sequenceNumber),
    sequenceNumber: block.sequenceNumber + 1n,
  };
}

function findOrAddAttribute(
  attributes: readonly Attribute[],
  owner: Owner,
): { attributes: readonly Attribute[]; index: number } {
  const found = attributes.findIndex((attribute) => isSameOwner(attribute, owner));
  if (found >= 0) return { attributes, index: found };
  const added: Attribute = { ...owner, releasedAt: undefined, rest: {} };
  return { attributes: [...attributes, added], index: attributes.length };
}

function isSameOwner(attribute: Attribute, owner: Owner): boolean {
  if (attribute.handleId !== owner.handleId) return false;
  const names = Object.keys(owner.secondary);
  return (
    isHeld(attribute) &&
    Object.keys(attribute.rest).length === 0 &&
    Object.keys(attribute.secondary).length === names.length &&
    names.every((name) => attribute.secondary[name] === owner.secondary[name])
  );
}

/** Leaves out attributes that no address refers to, and numbers the others anew. */
export function withoutUnusedAttributes(
  allocations: readonly (number | null)[],
  attributes: readonly Attribute[],
): Pick<Block, 'allocations' | 'attributes'> {
  const used = new Set(allocations);
  if (attributes.every((_, index) => used.has(index))) return { attributes, allocations };
  const renumbered = new Map<number | null, number>();
  const kept = attributes.filter((_, index) => {
    if (!used.has(index)) return false;
    renumbered.set(index, renumbered.size);
    return true;
  });
  return {
    attributes: kept,
    allocations: allocations.map((index) => renumbered.get(index) ?? null),
  };
}
