// BGPFilter rules as data, and what they make of a route (upstream compiles them to BIRD functions).
// Conditions of a rule are ANDed; the first rule that matches decides.
import { type LargeCommunity, prependAs } from '@calico/bgp-wire';
import { type Address, isLinkLocal, type Prefix } from '@calico/ip';
import { DEFAULT_LOCAL_PREFERENCE, type PathData } from '../rib/path.ts';
import { matchesPrefix, type PrefixMatch } from './prefix_match.ts';

export type CommunitySet = {
  readonly standard: readonly number[];
  readonly large: readonly LargeCommunity[];
};

/** What the operations of a rule do to a route. */
export type RouteChanges = {
  /** Equal texts mean equal changes: routes of one attribute set stay together. */
  readonly id: string;
  /** In the order of the path that results. */
  readonly prepend: readonly number[];
  readonly add: CommunitySet;
  readonly localPreference: number | undefined;
};

export type FilterRule = {
  /** For people: 'rule 2 of exportV4 of BGPFilter "edge"'. */
  readonly name: string;
  readonly prefix: PrefixMatch | undefined;
  /** Only routes that a peer told. */
  readonly isFromPeers: boolean;
  /** Name with `*` for any text; matches the interface that the next hop is reached through. */
  readonly interface: string | undefined;
  readonly isInternal: boolean | undefined;
  readonly community: CommunitySet | undefined;
  readonly asPathPrefix: readonly number[] | undefined;
  readonly localPreference: number | undefined;
  readonly accepts: boolean;
  readonly changes: RouteChanges | undefined;
};

export type PeerFilters = {
  readonly import: Readonly<Record<4 | 6, readonly FilterRule[]>>;
  readonly export: Readonly<Record<4 | 6, readonly FilterRule[]>>;
};

export const NO_FILTERS: PeerFilters = { import: { 4: [], 6: [] }, export: { 4: [], 6: [] } };

/** Whether a rule depends on how the kernel reaches next hops. */
export function asksForInterface(filters: PeerFilters): boolean {
  return [filters.import, filters.export].some((lists) =>
    [...lists[4], ...lists[6]].some((rule) => rule.interface !== undefined),
  );
}

/** A route as rules see it. */
export type FilterSubject = {
  readonly prefix: Prefix;
  readonly data: PathData;
  readonly isFromPeer: boolean;
  /** Whether the session that the rule stands at is internal. */
  readonly isInternal: boolean;
  /** Interface that the next hop is reached through. */
  readonly interfaceName: () => string | undefined;
};

/** BGP has a preference where the cluster has a priority, as a route metric: lower is better. */
export function localPreferenceOf(priority: number): number {
  return 2_147_483_647 - priority;
}

/** The first rule that matches; undefined when none does. */
export function findRule(
  rules: readonly FilterRule[],
  subject: FilterSubject,
): FilterRule | undefined {
  return rules.find((rule) => matches(rule, subject));
}

function matches(rule: FilterRule, subject: FilterSubject): boolean {
  const { attributes } = subject.data;
  if (rule.prefix !== undefined && !matchesPrefix(rule.prefix, subject.prefix)) return false;
  if (rule.isFromPeers && !subject.isFromPeer) return false;
  if (rule.isInternal !== undefined && rule.isInternal !== subject.isInternal) return false;
  if (rule.community !== undefined && !carries(subject.data, rule.community)) return false;
  if (rule.asPathPrefix !== undefined && !startsWith(subject.data, rule.asPathPrefix)) return false;
  const preference = attributes.localPreference ?? DEFAULT_LOCAL_PREFERENCE;
  if (rule.localPreference !== undefined && rule.localPreference !== preference) return false;
  if (rule.interface === undefined) return true;
  const name = subject.interfaceName();
  return name !== undefined && matchesPattern(rule.interface, name);
}

function carries({ attributes }: PathData, { standard, large }: CommunitySet): boolean {
  return (
    standard.every((each) => attributes.communities?.includes(each) === true) &&
    large.every((each) => attributes.largeCommunities?.some((own) => sameLarge(own, each)) === true)
  );
}

function startsWith({ attributes }: PathData, asns: readonly number[]): boolean {
  const path = (attributes.asPath ?? []).flatMap((segment) =>
    segment.kind === 'sequence' ? segment.asns : [-1],
  );
  return asns.every((asn, index) => path[index] === asn);
}

function matchesPattern(pattern: string, name: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return name === pattern;
  if (!name.startsWith(head) || !name.endsWith(tail)) return false;
  let at = head.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at + tail.length <= name.length;
}

export function applyChanges(data: PathData, changes: RouteChanges): PathData {
  const { attributes, nextHop } = addCommunities(data, changes.add);
  const { prepend, localPreference } = changes;
  return {
    nextHop,
    attributes: {
      ...attributes,
      ...(prepend.length === 0 ? {} : { asPath: prependAs(attributes.asPath ?? [], prepend) }),
      ...(localPreference === undefined ? {} : { localPreference }),
    },
  };
}

export function addCommunities(data: PathData, { standard, large }: CommunitySet): PathData {
  const { communities = [], largeCommunities = [] } = data.attributes;
  const more = standard.filter(
    (each, at) => !communities.includes(each) && standard.indexOf(each) === at,
  );
  const moreLarge = large.filter(
    (each, at) =>
      !largeCommunities.some((own) => sameLarge(own, each)) &&
      large.findIndex((other) => sameLarge(other, each)) === at,
  );
  if (more.length === 0 && moreLarge.length === 0) return data;
  return {
    nextHop: data.nextHop,
    attributes: {
      ...data.attributes,
      ...(more.length === 0 ? {} : { communities: [...communities, ...more] }),
      ...(moreLarge.length === 0 ? {} : { largeCommunities: [...largeCommunities, ...moreLarge] }),
    },
  };
}

function sameLarge(a: LargeCommunity, b: LargeCommunity): boolean {
  return a.global === b.global && a.local1 === b.local1 && a.local2 === b.local2;
}

/** Link-local next hops are on the link of the session that has told them; undefined for others. */
export function linkOf(nextHop: Address, onLink: string | undefined): string | undefined {
  return isLinkLocal(nextHop) ? onLink : undefined;
}
