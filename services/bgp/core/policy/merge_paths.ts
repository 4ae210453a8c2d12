// What an aggregate says of the routes that it stands for: RFC 4271 section 9.2.2.2, without sets of AS numbers
// (RFC 9774).
import {
  type AsPath,
  formatLargeCommunity,
  Origin,
  type PathAttributes,
  withoutMembers,
} from '@calico/bgp-wire';

/** Communities from here on have meanings of their own, for single routes: RFC 1997 section "Well-known". */
const FIRST_WELL_KNOWN = 0xffff_0000;

/**
 * Attributes of an aggregate of at least one route. What one of them lets the receiver know and the aggregate
 * does not (AS numbers of the path) is marked by ATOMIC_AGGREGATE, section 5.1.6; MEDs are about single routes.
 * @param all each different set of attributes once
 */
export function mergePaths(
  all: readonly PathAttributes[],
): Pick<PathAttributes, 'origin' | 'asPath'> & PathAttributes {
  const paths = all.map(({ asPath = [] }) => withoutMembers(asPath));
  const asns = commonStart(paths.map(leadingNumbers));
  const isAtomic =
    all.some(({ atomicAggregate }) => atomicAggregate) ||
    paths.some((path) => countOf(path) > asns.length);
  const onlyToCustomer = all.find((each) => each.onlyToCustomer !== undefined)?.onlyToCustomer;
  return {
    origin: worstOrigin(all),
    asPath: asns.length === 0 ? [] : [{ kind: 'sequence', asns }],
    // RFC 1997 and RFC 8092 section 3: all communities of all routes, unless something is left out anyway.
    ...(isAtomic ? { atomicAggregate: true } : communitiesOf(all)),
    ...(onlyToCustomer === undefined ? {} : { onlyToCustomer }),
  };
}

/** The numbers that every path begins with, in order. */
function commonStart(paths: readonly (readonly number[])[]): readonly number[] {
  const [first = [], ...others] = paths;
  const end = first.findIndex((asn, at) => others.some((path) => path[at] !== asn));
  return end < 0 ? first : first.slice(0, end);
}

/** Up to the first set, whose members have no order. */
function leadingNumbers(path: AsPath): readonly number[] {
  const end = path.findIndex(({ kind }) => kind !== 'sequence');
  return (end < 0 ? path : path.slice(0, end)).flatMap(({ asns }) => asns);
}

function countOf(path: AsPath): number {
  return path.reduce((sum, { asns }) => sum + asns.length, 0);
}

/** INCOMPLETE before EGP before IGP. */
function worstOrigin(all: readonly PathAttributes[]): Origin {
  return all.reduce<Origin>(
    (worst, { origin = Origin.Igp }) => (origin > worst ? origin : worst),
    Origin.Igp,
  );
}

function communitiesOf(all: readonly PathAttributes[]): PathAttributes {
  const standard = new Set(all.flatMap(({ communities = [] }) => communities));
  const large = new Map(
    all.flatMap(({ largeCommunities = [] }) =>
      largeCommunities.map((each) => [formatLargeCommunity(each), each]),
    ),
  );
  const communities = [...standard]
    .filter((each) => each < FIRST_WELL_KNOWN)
    .toSorted((a, b) => a - b);
  return {
    ...(communities.length > 0 ? { communities } : {}),
    ...(large.size > 0 ? { largeCommunities: [...large.values()] } : {}),
  };
}
