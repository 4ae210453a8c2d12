// Cool-down: a released address is not given out again for a while, so that what still remembers it
// (connections, DNS, other nodes' routes) does not reach a stranger. Upstream's representation: the
// address keeps an attribute that says since when it is released.
import { attributeOf, isHeld, releaseOrdinals, withoutUnusedAttributes } from './block_algebra.ts';
import { type Attribute, type Block, storedTime } from './records/block.ts';

/** `releasedAt` is written in whole seconds, rounded down. */
const ROUNDING_MS = 999;

/**
 * Releases held ordinals: at once, or into their cool-down. One that a node may still give out waits
 * for the end of its lease. `now` in milliseconds since the epoch.
 */
export function release(
  block: Block,
  ordinals: readonly number[],
  now: number,
  cooldownMs: number,
): Block {
  if (cooldownMs > 0) return cooled(block, ordinals, now);
  const isLeased = (ordinal: number): boolean => leaseEnd(attributeOf(block, ordinal)) > now;
  const free = releaseOrdinals(
    block,
    ordinals.filter((ordinal) => !isLeased(ordinal)),
  );
  return cooled(free, ordinals.filter(isLeased), now);
}

/** Attribute of an address that a node may give to a pod on its own: until when, RFC 3339. */
export const LEASE_ATTRIBUTE = 'leasedUntil';

/** The clocks of nodes and of this service differ by less. */
const CLOCK_SKEW_MS = 30_000;

/** From when nobody gives the address out any more; 0 for one that is not leased. */
function leaseEnd(attribute: Attribute | undefined): number {
  const until = attribute?.secondary[LEASE_ATTRIBUTE];
  const time = until === undefined ? Number.NaN : Date.parse(until);
  return Number.isNaN(time) ? 0 : time + CLOCK_SKEW_MS;
}

function cooled(block: Block, ordinals: readonly number[], now: number): Block {
  if (ordinals.length === 0) return block;
  const attributes = [...block.attributes];
  const renamed = new Map<number, number>();
  const allocations = [...block.allocations];
  const sequenceNumbers = [...block.sequenceNumbers];
  for (const ordinal of ordinals) {
    const index = allocations[ordinal];
    const attribute = index == null ? undefined : block.attributes[index];
    if (index == null || attribute === undefined || !isHeld(attribute)) continue;
    const added = renamed.get(index) ?? attributes.length;
    if (!renamed.has(index)) attributes.push({ ...attribute, releasedAt: storedTime(now) });
    renamed.set(index, added);
    allocations[ordinal] = added;
    sequenceNumbers[ordinal] = undefined;
  }
  if (renamed.size === 0) return block;
  return {
    ...block,
    ...withoutUnusedAttributes(allocations, attributes),
    sequenceNumbers,
    sequenceNumber: block.sequenceNumber + 1n,
  };
}

/**
 * The block with the addresses free again whose cool-down has passed, behind those that are free, the
 * longest released first. The sequence number stays: nothing was assigned or released.
 */
export function thawed(block: Block, now: number, cooldownMs: number): Block {
  if (block.attributes.every(({ releasedAt }) => releasedAt === undefined)) return block;
  const since = block.attributes.map((attribute) => releasedSince(attribute, now, cooldownMs));
  const ordinals = [...block.allocations.entries()]
    .flatMap(([ordinal, index]) => {
      const time = index === null ? undefined : since[index];
      return time === undefined ? [] : [{ ordinal, time }];
    })
    .toSorted((a, b) => a.time - b.time || a.ordinal - b.ordinal)
    .map(({ ordinal }) => ordinal);
  if (ordinals.length === 0) return block;
  const freed = new Set(ordinals);
  const allocations = block.allocations.map((index, ordinal) =>
    freed.has(ordinal) ? null : index,
  );
  return {
    ...block,
    ...withoutUnusedAttributes(allocations, block.attributes),
    unallocated: [...block.unallocated, ...ordinals],
    sequenceNumbers: block.sequenceNumbers.map((number, ordinal) =>
      freed.has(ordinal) ? undefined : number,
    ),
  };
}

/** When it was released, if that is long enough ago; undefined: held, or still cooling down. */
function releasedSince(attribute: Attribute, now: number, cooldownMs: number): number | undefined {
  const { releasedAt } = attribute;
  if (releasedAt === undefined || leaseEnd(attribute) > now) return undefined;
  const time = typeof releasedAt === 'string' ? Date.parse(releasedAt) : Number.NaN;
  // Nobody holds it, and nothing says for how long that must stay so.
  if (Number.isNaN(time)) return 0;
  return cooldownMs === 0 || now - time >= cooldownMs + ROUNDING_MS ? time : undefined;
}
