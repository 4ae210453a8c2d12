// Path attributes, each distinct set held once: by its bytes, with the few numbers that the decision
// asks for. What a message carries is decoded only when it has not been seen before.
//
//   bytes of an UPDATE --hash--> known: its number
//                           └--> new: decode, check (RFC 7606), take the numbers, keep the bytes
import {
  AttributeDecoder,
  type AttributeProblem,
  AttributeScanner,
  AttributeType,
  asPathLength,
  Community,
  DEFAULT_CONTEXT,
  encodeAttributes,
  hasAs,
  neighbourAs,
  Origin,
  type PathAttributes,
  type WireContext,
} from '@calico/bgp-wire';
import { type Address, addressFromBytes } from '@calico/ip';
import { ByteStore, LONGEST } from './byte_store.ts';
import { RowAllocator, roomOf, withRow } from './columns.ts';
import { DecodedSets } from './decoded_sets.ts';
import { NextHopTable } from './next_hop_table.ts';
import { DEFAULT_LOCAL_PREFERENCE, type PathData } from './path.ts';
import { hashBytes, RowIndex } from './row_index.ts';

/**
 * How the bytes are to be read. `Outside`: the next hop is not among them. `Plain`: AttributeScanner
 * has nothing against them, so that they can be passed on without being decoded. `Marked`: policies have
 * to see it, as AttributeScanner says.
 */
const Reading = {
  TwoOctetAs: 1,
  External: 2,
  Outside: 4,
  Plain: 8,
  Marked: 16,
} as const;
const KEY_BITS = Reading.TwoOctetAs | Reading.External | Reading.Outside;

export type Interned =
  /** The caller holds a reference to the set. */
  | { readonly kind: 'set'; readonly id: number; readonly problems: readonly AttributeProblem[] }
  /** The routes count as withdrawn (RFC 7606 section 2). */
  | { readonly kind: 'withdraw'; readonly problems: readonly AttributeProblem[] };

/** In place of a set's number: it has none, as it is longer than the table holds. */
const NONE = -1;
/** Why a route with such a set is not used, or not told. */
export const TOO_LONG = `attributes are longer than ${LONGEST} octets`;

/** In place of a next hop's number: it is among the bytes. */
const INSIDE = -1;

const NO_PROBLEMS: readonly AttributeProblem[] = [];

/**
 * One for all tables, as it holds nothing between two calls: the kinds of numbers that its fields have had decide what
 * the runtime's compiled code takes, and another one would have had others.
 */
const scanner = new AttributeScanner();

export class AttributeTable {
  readonly #rows = new RowAllocator();
  readonly #bytes = new ByteStore();
  readonly #index = new RowIndex();
  #references = new Int32Array(64);
  #readings = new Uint8Array(64);
  /** Row of the next hop. */
  #nextHops = new Int32Array(64);
  #ranks = new Float64Array(64);
  #meds = new Uint32Array(64);
  #neighbours = new Uint32Array(64);
  /** 0: none. */
  #originators = new Uint32Array(64);
  #clusterLengths = new Uint8Array(64);
  /** Rows that all columns have places for. */
  #room = 64;
  readonly #hops = new NextHopTable();
  readonly #decoded = new DecodedSets();

  get size(): number {
    return this.#index.size;
  }

  /**
   * The set that the bytes of a message describe.
   * @param bytes path attributes without MP attributes
   * @param nextHop of MP_REACH_NLRI, 4 or 16 octets; undefined: NEXT_HOP is among the bytes
   * @throws ProtocolError where the session must be reset
   */
  internWire(
    bytes: Uint8Array,
    start: number,
    end: number,
    nextHop: Uint8Array | undefined,
    context: WireContext,
  ): Interned {
    const reading =
      (context.fourOctetAs ? 0 : Reading.TwoOctetAs) |
      (context.peerKind === 'external' ? Reading.External : 0) |
      (nextHop === undefined ? 0 : Reading.Outside);
    const outside = nextHop === undefined ? undefined : addressFromBytes(nextHop);
    const known = outside === undefined ? INSIDE : this.#hops.find(outside);
    const hash = known === undefined ? NONE : hashOf(bytes, start, end, reading, known);
    if (known !== undefined) {
      const id = this.#find(hash, bytes, start, end, reading, known);
      if (id >= 0) {
        this.retain(id);
        // A client of this process may have said the same before.
        this.#hops.noteTold(this.#nextHops[id] as number);
        return { kind: 'set', id, problems: NO_PROBLEMS };
      }
    }
    const scanned = this.#addScanned(hash, bytes, start, end, reading, outside);
    if (scanned >= 0) return { kind: 'set', id: scanned, problems: NO_PROBLEMS };
    const decoded = new AttributeDecoder(context).decode(bytes.subarray(start, end));
    const address = outside ?? decoded.nextHop;
    const { attributes } = decoded;
    const problems = [...decoded.problems, ...findMissing(attributes, address)];
    const isLost = problems.some(({ treatment }) => treatment === 'treat-as-withdraw');
    if (address === undefined || isLost) return { kind: 'withdraw', problems };
    const hop = this.#hops.intern(address);
    this.#hops.noteTold(hop);
    const id = this.#add(hash, bytes, start, end, reading, hop);
    this.#setNumbers(id, attributes);
    this.#decoded.set(id, { attributes, nextHop: address });
    return { kind: 'set', id, problems };
  }

  /** The set that says this. The caller holds a reference to it. Below 0: it is too long. */
  intern(data: PathData): number {
    const { attributes, nextHop } = data;
    const isInside = nextHop.family === 4;
    const bytes = encode(data, DEFAULT_CONTEXT);
    if (bytes.length > LONGEST) return NONE;
    const reading = isInside ? 0 : Reading.Outside;
    const hop = this.#hops.intern(nextHop);
    const key = isInside ? INSIDE : hop;
    const hash = hashOf(bytes, 0, bytes.length, reading, key);
    const found = this.#find(hash, bytes, 0, bytes.length, reading, key);
    if (found >= 0) {
      this.#hops.release(hop);
      this.retain(found);
      return found;
    }
    const id = this.#add(hash, bytes, 0, bytes.length, reading, hop);
    this.#setNumbers(id, attributes);
    this.#decoded.set(id, data);
    return id;
  }

  /** Whether ToldSets.rewrite() can be asked. */
  isPlain(id: number): boolean {
    return ((this.#readings[id] as number) & Reading.Plain) !== 0;
  }

  /** Plain, and without a community that means something to every speaker. */
  isUnmarked(id: number): boolean {
    return ((this.#readings[id] as number) & (Reading.Plain | Reading.Marked)) === Reading.Plain;
  }

  /** Whether the AS number is in the path of a plain set. */
  hasAs(id: number, asn: number): boolean {
    return hasAs(this.#bytes.get(id), asn);
  }

  retain(id: number): void {
    (this.#references[id] as number) += 1;
  }

  release(id: number): void {
    const left = (this.#references[id] as number) - 1;
    this.#references[id] = left;
    if (left <= 0) this.#remove(id);
  }

  /** Decoded; the same object as long as the set is in use again and again. */
  dataOf(id: number): PathData {
    const held = this.#decoded.get(id);
    if (held !== undefined) return held;
    const { attributes } = new AttributeDecoder(this.#contextOf(id)).decode(this.#bytes.get(id));
    return this.#decoded.set(id, { attributes, nextHop: this.nextHopOf(id) });
  }

  nextHopOf(id: number): Address {
    return this.#hops.addressOf(this.#nextHops[id] as number);
  }

  /** All next hops, by number. */
  get hops(): NextHopTable {
    return this.#hops;
  }

  /** All next hops of all sets, each once. */
  nextHops(): Iterable<Address> {
    return this.#hops.addresses();
  }

  /** A number that stands for the next hop as long as the set exists. */
  nextHopNumberOf(id: number): number {
    return this.#nextHops[id] as number;
  }

  /** Octets. */
  lengthOf(id: number): number {
    return this.#bytes.lengthOf(id);
  }

  /** Of a plain set: AS numbers have four octets. Valid until the table changes. */
  bytesOf(id: number): Uint8Array {
    return this.#bytes.get(id);
  }

  /**
   * As they go into a message of that context: with NEXT_HOP when it is IPv4, without MP attributes.
   * Valid until the table changes.
   */
  wireOf(id: number, context: WireContext): Uint8Array {
    if (context.fourOctetAs && ((this.#readings[id] as number) & Reading.TwoOctetAs) === 0)
      return this.#bytes.get(id);
    return encode(this.dataOf(id), context);
  }

  /**
   * The decision's first questions in one number, smaller is better: stale for long or not, local preference,
   * length of the AS path, origin (RFC 4271 section 9.1.2.2 a, b and before).
   */
  rankOf(id: number): number {
    return this.#ranks[id] as number;
  }

  medOf(id: number): number {
    return this.#meds[id] as number;
  }

  /** The AS that the route was heard from; 0 for none. */
  neighbourOf(id: number): number {
    return this.#neighbours[id] as number;
  }

  /** ORIGINATOR_ID; 0 for none. */
  originatorOf(id: number): number {
    return this.#originators[id] as number;
  }

  clusterLengthOf(id: number): number {
    return this.#clusterLengths[id] as number;
  }

  #contextOf(id: number): WireContext {
    const reading = this.#readings[id] as number;
    return {
      ...DEFAULT_CONTEXT,
      fourOctetAs: (reading & Reading.TwoOctetAs) === 0,
      peerKind: (reading & Reading.External) === 0 ? 'internal' : 'external',
    };
  }

  #find(
    hash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    reading: number,
    hop: number,
  ): number {
    const index = this.#index;
    for (let id = index.firstOf(hash); id >= 0; id = index.after(id)) {
      if (index.hashOf(id) !== hash) continue;
      if (((this.#readings[id] as number) & KEY_BITS) !== reading) continue;
      if (hop !== INSIDE && this.#nextHops[id] !== hop) continue;
      if (this.#bytes.equals(id, bytes, start, end)) return id;
    }
    return -1;
  }

  /**
   * Takes the caller's reference to the next hop over, and leaves the numbers to the caller.
   * @param hash NONE: the next hop was new, so nobody could look for it
   */
  #add(
    hash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    reading: number,
    hop: number,
  ): number {
    const id = this.#rows.take();
    this.#makeRoom(id);
    this.#references[id] = 1;
    this.#readings[id] = reading;
    this.#nextHops[id] = hop;
    this.#bytes.put(id, bytes, start, end);
    this.#index.add(id, hash === NONE ? hashOf(bytes, start, end, reading, hop) : hash);
    return id;
  }

  /** A set that nothing is the matter with, without making objects of it; below 0: it has to be decoded. */
  #addScanned(
    hash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    reading: number,
    outside: Address | undefined,
  ): number {
    if ((reading & Reading.TwoOctetAs) !== 0) return NONE;
    if (!scanner.scan(bytes, start, end, (reading & Reading.External) !== 0)) return NONE;
    if (outside === undefined && scanner.nextHop < 0) return NONE;
    const { origin, pathLength, localPreference, med, neighbour, isMarked } = scanner;
    const hop =
      outside === undefined ? this.#hops.internIpv4(scanner.nextHop) : this.#hops.intern(outside);
    this.#hops.noteTold(hop);
    const id = this.#add(hash, bytes, start, end, reading, hop);
    (this.#readings[id] as number) |= Reading.Plain | (isMarked ? Reading.Marked : 0);
    const preference = localPreference < 0 ? DEFAULT_LOCAL_PREFERENCE : localPreference;
    this.#ranks[id] = rank(preference, pathLength, origin) + (isMarked ? this.#staleOf(id) : 0);
    this.#meds[id] = med;
    this.#neighbours[id] = neighbour;
    this.#setReflection(id, scanner.originatorId, scanner.clusterLength);
    return id;
  }

  #setNumbers(id: number, attributes: PathAttributes): void {
    const { localPreference = DEFAULT_LOCAL_PREFERENCE, asPath = [], origin } = attributes;
    this.#ranks[id] =
      rank(localPreference, asPathLength(asPath), origin ?? Origin.Incomplete) +
      staleness(attributes);
    this.#meds[id] = attributes.multiExitDiscriminator ?? 0;
    this.#neighbours[id] = neighbourAs(attributes.asPath ?? []) ?? 0;
    this.#setReflection(id, attributes.originatorId ?? 0, attributes.clusterList?.length ?? 0);
  }

  #staleOf(id: number): number {
    return staleness(this.dataOf(id).attributes);
  }

  /** Most sets have not been reflected: columns of zeros cost nothing, see withRow(). */
  #setReflection(id: number, originator: number, clusterLength: number): void {
    if (this.#originators[id] !== originator) this.#originators[id] = originator;
    const length = Math.min(clusterLength, 255);
    if (this.#clusterLengths[id] !== length) this.#clusterLengths[id] = length;
  }

  #makeRoom(id: number): void {
    if (id < this.#room) return;
    this.#references = withRow(this.#references, id);
    this.#readings = withRow(this.#readings, id);
    this.#nextHops = withRow(this.#nextHops, id);
    this.#ranks = withRow(this.#ranks, id);
    this.#meds = withRow(this.#meds, id);
    this.#neighbours = withRow(this.#neighbours, id);
    this.#originators = withRow(this.#originators, id);
    this.#clusterLengths = withRow(this.#clusterLengths, id);
    this.#room = roomOf(
      this.#references,
      this.#readings,
      this.#nextHops,
      this.#ranks,
      this.#meds,
      this.#neighbours,
      this.#originators,
      this.#clusterLengths,
    );
  }

  #remove(id: number): void {
    this.#index.remove(id);
    this.#bytes.delete(id);
    this.#hops.release(this.#nextHops[id] as number);
    this.#decoded.delete(id);
    this.#rows.give(id);
  }
}

/** Whether a table can hold the set. */
export function fits(data: PathData): boolean {
  return encode(data, DEFAULT_CONTEXT).length <= LONGEST;
}

/** With NEXT_HOP when it is IPv4, without MP attributes. */
export function encode({ attributes, nextHop }: PathData, context: WireContext): Uint8Array {
  return encodeAttributes(nextHop.family === 4 ? { ...attributes, nextHop } : attributes, context);
}

/** More than any other number in a rank. */
const STALE = 2 ** 48;

/** What has been stale for long falls to everything that has not, whatever else it says: RFC 9494 section 4.4. */
function staleness({ communities }: PathAttributes): number {
  return communities?.includes(Community.LongLivedStale) ? STALE : 0;
}

function rank(localPreference: number, pathLength: number, origin: number): number {
  const preference = 0xffff_ffff - localPreference;
  return preference * 0x1_0000 + Math.min(pathLength, 0x3fff) * 4 + origin;
}

/** @param hop its number when it is not among the bytes, otherwise INSIDE */
function hashOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  reading: number,
  hop: number,
): number {
  return hashBytes(bytes, start, end, reading ^ Math.imul(hop + 1, 0x85eb_ca6b));
}

/** RFC 7606 section 3 (d): a missing mandatory attribute withdraws. */
function findMissing(attributes: PathAttributes, nextHop: Address | undefined): AttributeProblem[] {
  const missing: [number, string][] = [];
  if (attributes.origin === undefined) missing.push([AttributeType.Origin, 'ORIGIN']);
  if (attributes.asPath === undefined) missing.push([AttributeType.AsPath, 'AS_PATH']);
  if (nextHop === undefined) missing.push([AttributeType.NextHop, 'NEXT_HOP']);
  return missing.map(([type, name]) => ({
    treatment: 'treat-as-withdraw',
    type,
    message: `Cannot use the routes of UPDATE: mandatory attribute "${name}" is missing or malformed`,
  }));
}
