// What an aggregate says of the routes that it stands for: RFC 4271 section 9.2.2.2, without sets of AS numbers
// (RFC 9774). Counts what they say, so that one route more or less costs no look at all others.
import {
  type AsPath,
  formatLargeCommunity,
  type LargeCommunity,
  Origin,
  type PathAttributes,
  withoutMembers,
} from '@calico/bgp-wire';

/** Communities from here on have meanings of their own, for single routes: RFC 1997 section "Well-known". */
const FIRST_WELL_KNOWN = 0xffff_0000;
/** More than a message holds: nobody needs them in order. */
const MOST_COMMUNITIES = 0x1_0000 / 4;

type Merged = Pick<PathAttributes, 'origin' | 'asPath'> & PathAttributes;

/** The attributes of the routes inside of an aggregate, each different set once. */
export class MergedPaths {
  #size = 0;
  readonly #origins = new Counts<Origin>();
  /** Which AS numbers the paths have at each place, up to the first set, whose members have no order. */
  readonly #places: Counts<number>[] = [];
  /** AS numbers in the paths, sets included. */
  readonly #lengths = new Counts<number>();
  readonly #atomic = new Counts<true>();
  readonly #communities = new Counts<number>();
  readonly #large = new Counts<string>();
  readonly #largeByText = new Map<string, LargeCommunity>();
  readonly #onlyToCustomer = new Counts<number>();

  get size(): number {
    return this.#size;
  }

  add(attributes: PathAttributes): void {
    this.#count(attributes, 1);
  }

  /** @param attributes that have been added */
  remove(attributes: PathAttributes): void {
    this.#count(attributes, -1);
  }

  /**
   * Of at least one set. What one of them lets the receiver know and the aggregate does not (AS numbers of the
   * path) is marked by ATOMIC_AGGREGATE, section 5.1.6; MEDs are about single routes.
   */
  get merged(): Merged {
    const asns = this.#commonStart();
    const isAtomic = this.#atomic.size > 0 || !this.#lengths.isOnly(asns.length);
    const onlyToCustomer = least(this.#onlyToCustomer.keys());
    return {
      // INCOMPLETE before EGP before IGP.
      origin: Math.max(...this.#origins.keys()) as Origin,
      asPath: asns.length === 0 ? [] : [{ kind: 'sequence', asns }],
      // RFC 1997 and RFC 8092 section 3: all communities of all routes, unless something is left out anyway.
      ...(isAtomic ? { atomicAggregate: true } : this.#allCommunities()),
      ...(onlyToCustomer === undefined ? {} : { onlyToCustomer }),
    };
  }

  #count(attributes: PathAttributes, by: 1 | -1): void {
    const {
      origin = Origin.Igp,
      asPath = [],
      communities = [],
      largeCommunities = [],
    } = attributes;
    const path = withoutMembers(asPath);
    this.#size += by;
    this.#origins.count(origin, by);
    this.#lengths.count(countOf(path), by);
    for (const [at, asn] of leadingNumbers(path).entries()) {
      this.#places[at] ??= new Counts();
      this.#places[at].count(asn, by);
    }
    if (attributes.atomicAggregate) this.#atomic.count(true, by);
    for (const each of new Set(communities)) {
      if (each < FIRST_WELL_KNOWN) this.#communities.count(each, by);
    }
    for (const each of largeCommunities) {
      const text = formatLargeCommunity(each);
      this.#large.count(text, by);
      if (this.#large.has(text)) this.#largeByText.set(text, each);
      else this.#largeByText.delete(text);
    }
    const { onlyToCustomer } = attributes;
    if (onlyToCustomer !== undefined) this.#onlyToCustomer.count(onlyToCustomer, by);
  }

  /** The numbers that every path begins with, in order. */
  #commonStart(): readonly number[] {
    const asns: number[] = [];
    for (const place of this.#places) {
      const [asn] = place.keys();
      if (asn === undefined || place.size > 1 || place.of(asn) !== this.#size) break;
      asns.push(asn);
    }
    return asns;
  }

  #allCommunities(): PathAttributes {
    if (this.#communities.size + this.#large.size > MOST_COMMUNITIES) return {};
    const communities = [...this.#communities.keys()].toSorted((a, b) => a - b);
    const largeCommunities = [...this.#largeByText]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, each]) => each);
    return {
      ...(communities.length > 0 ? { communities } : {}),
      ...(largeCommunities.length > 0 ? { largeCommunities } : {}),
    };
  }
}

/** How often each value is there. */
class Counts<T> {
  readonly #counts = new Map<T, number>();

  /** Different values. */
  get size(): number {
    return this.#counts.size;
  }

  of(value: T): number {
    return this.#counts.get(value) ?? 0;
  }

  has(value: T): boolean {
    return this.#counts.has(value);
  }

  isOnly(value: T): boolean {
    return this.#counts.size === 1 && this.#counts.has(value);
  }

  keys(): Iterable<T> {
    return this.#counts.keys();
  }

  count(value: T, by: 1 | -1): void {
    const count = this.of(value) + by;
    if (count === 0) this.#counts.delete(value);
    else this.#counts.set(value, count);
  }
}

function least(values: Iterable<number>): number | undefined {
  let found: number | undefined;
  for (const each of values) if (found === undefined || each < found) found = each;
  return found;
}

/** Up to the first set. */
function leadingNumbers(path: AsPath): readonly number[] {
  const end = path.findIndex(({ kind }) => kind !== 'sequence');
  return (end < 0 ? path : path.slice(0, end)).flatMap(({ asns }) => asns);
}

function countOf(path: AsPath): number {
  return path.reduce((sum, { asns }) => sum + asns.length, 0);
}
