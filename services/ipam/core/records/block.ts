// An allocation block as etcd holds it: upstream's JSON, field by field.
import { formatPrefix, type Prefix, parsePrefix, prefixSize } from '@calico/ip';
import { IpamError } from '../ipam_error.ts';
import { formatJson, parseJson } from './lossless_json.ts';
import { formatNumbers, type SequenceNumbers } from './sequence_numbers.ts';

/** Who holds addresses of a block and what is known of them. Other writers' fields stay in `rest`. */
export type Attribute = {
  readonly handleId: string | undefined;
  readonly secondary: Readonly<Record<string, string>>;
  /** Set while an address cools down after its release: not held any more, not yet free. */
  readonly releasedAt: unknown;
  readonly rest: Readonly<Record<string, unknown>>;
};

export type Block = {
  readonly cidr: Prefix;
  /** "host:<node>" or "virtual:<name>"; undefined: nobody's. */
  readonly affinity: string | undefined;
  /** RFC 3339, when the affinity was claimed. */
  readonly affinityClaimTime: string | undefined;
  /** By ordinal: the index into `attributes`, or null where free. */
  readonly allocations: readonly (number | null)[];
  /** Free ordinals; assigned from the head, released to the tail. */
  readonly unallocated: readonly number[];
  readonly attributes: readonly Attribute[];
  /** Grows with every write; starts at the time of creation in nanoseconds. */
  readonly sequenceNumber: bigint;
  /** By ordinal: the block's sequence number when the address was assigned. */
  readonly sequenceNumbers: SequenceNumbers;
  readonly deleted: boolean;
  /** Fields of other writers, kept as they were. */
  readonly rest: Readonly<Record<string, unknown>>;
};

const MAX_ADDRESSES = 4096n;

/** A block without assignments. `now` in milliseconds since the epoch. */
export function newBlock(cidr: Prefix, affinity: string | undefined, now: number): Block {
  const size = Number(prefixSize(cidr));
  return {
    cidr,
    affinity,
    affinityClaimTime: affinity === undefined ? undefined : storedTime(now),
    allocations: Array.from({ length: size }, () => null),
    unallocated: Array.from({ length: size }, (_, ordinal) => ordinal),
    attributes: [],
    sequenceNumber: BigInt(Math.trunc(now)) * 1_000_000n,
    sequenceNumbers: Array.from({ length: size }, () => undefined),
    deleted: false,
    rest: {},
  };
}

/** The instant as upstream writes it: RFC 3339 in whole seconds. */
export function storedTime(now: number): string {
  return new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** A block to be stored: its text is made when it is needed, and it need not be read again. */
export class BlockContent {
  readonly block: Block;
  #text: string | undefined;

  constructor(block: Block) {
    this.block = block;
  }

  get text(): string {
    this.#text ??= formatBlock(this.block);
    return this.#text;
  }
}

/** @throws IpamError 'damaged' when the text is not a block or contradicts itself */
export function parseBlock(key: string, json: string): Block {
  try {
    return readBlock(parseJson(json));
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new IpamError('damaged', `Cannot read block "${key}": ${detail}`, { cause });
  }
}

export function formatBlock(block: Block): string {
  const json = formatJson({
    ...block.rest,
    cidr: formatPrefix(block.cidr),
    affinity: block.affinity ?? null,
    ...(block.affinityClaimTime === undefined
      ? {}
      : { affinityClaimTime: block.affinityClaimTime }),
    allocations: block.allocations,
    unallocated: block.unallocated,
  });
  const attributes = block.attributes.map(attributeText);
  const numbers = formatNumbers(block.sequenceNumbers);
  // Appended as text: writing a bigint in any other way is many times slower.
  return `${json.slice(0, -1)},"attributes":[${attributes.join()}],"deleted":${block.deleted},"sequenceNumber":${block.sequenceNumber},"sequenceNumberForAllocation":${numbers}}`;
}

// An attribute stays the same object through the versions of its block: its text is made once.
const attributeTexts = new WeakMap<Attribute, string>();

function attributeText(attribute: Attribute): string {
  const known = attributeTexts.get(attribute);
  if (known !== undefined) return known;
  const made = formatJson(formatAttribute(attribute));
  attributeTexts.set(attribute, made);
  return made;
}

function formatAttribute(attribute: Attribute): Record<string, unknown> {
  return {
    ...attribute.rest,
    handle_id: attribute.handleId ?? null,
    secondary: attribute.secondary,
    ...(attribute.releasedAt === undefined ? {} : { releasedAt: attribute.releasedAt }),
  };
}

function readBlock(json: unknown): Block {
  const {
    cidr: cidrText,
    affinity,
    hostAffinity,
    affinityClaimTime,
    allocations,
    unallocated,
    attributes,
    sequenceNumber,
    sequenceNumberForAllocation,
    deleted,
    ...rest
  } = record(json, 'block');
  const cidr = parsePrefix(text(cidrText, 'cidr'));
  if (prefixSize(cidr) > MAX_ADDRESSES)
    throw new TypeError(`cidr "${formatPrefix(cidr)}" is too large`);
  const block: Block = {
    cidr,
    affinity: readAffinity(affinity, hostAffinity),
    affinityClaimTime: optionalText(affinityClaimTime, 'affinityClaimTime'),
    allocations: list(allocations, 'allocations').map((entry) =>
      entry === null ? null : integer(entry, 'allocations'),
    ),
    unallocated: list(unallocated, 'unallocated').map((entry) => integer(entry, 'unallocated')),
    attributes: list(attributes, 'attributes').map(readAttribute),
    sequenceNumber: bigInteger(sequenceNumber ?? 0, 'sequenceNumber'),
    sequenceNumbers: readSequenceNumbers(sequenceNumberForAllocation, prefixSize(cidr)),
    deleted: deleted === true,
    rest,
  };
  checkConsistency(block);
  return block;
}

/** Numbers of ordinals that the block does not have are left out. */
function readSequenceNumbers(json: unknown, size: bigint): (bigint | undefined)[] {
  const numbers = record(json ?? {}, 'sequenceNumberForAllocation');
  return Array.from({ length: Number(size) }, (_, ordinal) => {
    const number = numbers[ordinal];
    return number === undefined ? undefined : bigInteger(number, 'sequenceNumberForAllocation');
  });
}

/** An inconsistent block is never worked with: an address could be given twice. */
function checkConsistency(block: Block): void {
  const size = Number(prefixSize(block.cidr));
  if (block.allocations.length !== size) {
    throw new TypeError(`allocations has ${block.allocations.length} entries, expected ${size}`);
  }
  for (const index of block.allocations) {
    if (index !== null && index >= block.attributes.length) {
      throw new TypeError(`allocations refers to attribute ${index}, which does not exist`);
    }
  }
  const free = new Set(block.unallocated);
  if (free.size !== block.unallocated.length) throw new TypeError('unallocated repeats an ordinal');
  for (const ordinal of free) {
    if (ordinal >= size) throw new TypeError(`unallocated has ${ordinal}, expected below ${size}`);
    if (block.allocations[ordinal] !== null) {
      throw new TypeError(`address ${ordinal} is both allocated and unallocated`);
    }
  }
}

function readAffinity(affinity: unknown, hostAffinity: unknown): string | undefined {
  const current = optionalText(affinity, 'affinity');
  if (current !== undefined) return current;
  const old = optionalText(hostAffinity, 'hostAffinity');
  return old === undefined ? undefined : `host:${old}`;
}

function readAttribute(json: unknown): Attribute {
  const { handle_id: handleId, secondary, releasedAt, ...rest } = record(json, 'attributes');
  const pairs = Object.entries(record(secondary ?? {}, 'secondary'));
  return {
    handleId: optionalText(handleId, 'handle_id'),
    secondary: Object.fromEntries(pairs.map(([name, value]) => [name, text(value, 'secondary')])),
    releasedAt: releasedAt ?? undefined,
    rest,
  };
}

function record(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${field} is no object`);
  }
  return value as Record<string, unknown>;
}

function list(value: unknown, field: string): readonly unknown[] {
  if (value === null || value === undefined) return []; // Go writes an empty slice as null
  if (!Array.isArray(value)) throw new TypeError(`${field} is no list`);
  return value;
}

function text(value: unknown, field: string): string {
  if (typeof value !== 'string') throw new TypeError(`${field} is no string`);
  return value;
}

function optionalText(value: unknown, field: string): string | undefined {
  return value === null || value === undefined ? undefined : text(value, field);
}

function integer(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw new TypeError(`${field} has an entry that is no index`);
  }
  return value;
}

function bigInteger(value: unknown, field: string): bigint {
  if (typeof value === 'bigint') return value;
  return BigInt(integer(value, field));
}
