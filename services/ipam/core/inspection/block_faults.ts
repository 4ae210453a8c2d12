// What upstream's `ipam check` calls data problems: a block that contradicts itself. Works on the text,
// so that a block too damaged to be worked with is described too.
import { type Prefix, prefixSize } from '@calico/ip';
import { parseJson } from '../records/lossless_json.ts';

type Fields = Readonly<Record<string, unknown>>;

/** One sentence per fault. `now` in milliseconds since the epoch. */
export function blockFaults(cidr: Prefix, text: string, now: number): string[] {
  let block: Fields;
  try {
    block = parseJson(text) as Fields;
  } catch (cause) {
    return [`is no JSON: ${(cause as Error).message}`];
  }
  if (typeof block !== 'object' || block === null) return ['is no JSON object'];
  const size = Number(prefixSize(cidr));
  const allocations = listOf(block['allocations']);
  const unallocated = listOf(block['unallocated']);
  const attributes = listOf(block['attributes']);
  return [
    ...allocationFaults(allocations, attributes, size),
    ...attributeFaults(allocations, attributes, now),
    ...freeListFaults(allocations, unallocated, size),
  ];
}

function allocationFaults(
  allocations: readonly unknown[],
  attributes: readonly unknown[],
  size: number,
): string[] {
  const faults = [...allocations.entries()].flatMap(([ordinal, index]) =>
    index === null || (isIndex(index) && index < attributes.length)
      ? []
      : [
          `allocation ${ordinal} refers to attribute ${JSON.stringify(index)} of ${attributes.length}`,
        ],
  );
  return allocations.length === size
    ? faults
    : [...faults, `has ${allocations.length} allocations, expected ${size}`];
}

function attributeFaults(
  allocations: readonly unknown[],
  attributes: readonly unknown[],
  now: number,
): string[] {
  const used = new Set(allocations);
  return attributes.flatMap((attribute, index) => {
    const faults = used.has(index) ? [] : [`attribute ${index} belongs to no address`];
    const releasedAt = (attribute as Fields | null)?.['releasedAt'];
    if (typeof releasedAt === 'string' && Date.parse(releasedAt) > now) {
      faults.push(`attribute ${index} was released in the future, at ${releasedAt}`);
    }
    return faults;
  });
}

function freeListFaults(
  allocations: readonly unknown[],
  unallocated: readonly unknown[],
  size: number,
): string[] {
  const faults: string[] = [];
  const seen = new Set<unknown>();
  for (const ordinal of unallocated) {
    if (!isIndex(ordinal) || ordinal >= size) {
      faults.push(
        `the free list has ordinal ${JSON.stringify(ordinal)}, expected 0 to ${size - 1}`,
      );
    } else if (seen.has(ordinal)) faults.push(`the free list has ordinal ${ordinal} twice`);
    else if (allocations[ordinal] != null) faults.push(`ordinal ${ordinal} is free and allocated`);
    seen.add(ordinal);
  }
  const taken = allocations.filter((index) => index !== null).length;
  if (taken + unallocated.length !== size) {
    faults.push(`${taken} allocated and ${unallocated.length} free are not ${size}`);
  }
  return faults;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isIndex(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}
