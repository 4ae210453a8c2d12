// BGPFilter resources and communities of BGPConfiguration, compiled for the policy.
import { type Family, type Prefix, parsePrefix } from '@calico/ip';
import type { BGPConfiguration, BGPFilter } from '@calico/model';
import type { PrefixMatch } from '../policy/prefix_match.ts';
import {
  type CommunitySet,
  type FilterRule,
  localPreferenceOf,
  NO_FILTERS,
  type PeerFilters,
  type RouteChanges,
} from '../policy/route_filter.ts';
import type { Advertisement } from '../policy/types.ts';

type Spec = BGPFilter['spec'];
type RuleSpec = NonNullable<Spec['exportV4']>[number];
const LISTS = ['importV4', 'importV6', 'exportV4', 'exportV6'] as const;

export class FilterLibrary {
  readonly problems: string[] = [];
  readonly #filters = new Map<string, PeerFilters>();

  constructor(filters: readonly BGPFilter[]) {
    for (const { metadata, spec } of filters) {
      try {
        this.#filters.set(metadata.name, compile(metadata.name, spec));
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        this.problems.push(`Cannot use BGPFilter "${metadata.name}": ${reason}`);
      }
    }
  }

  /**
   * The rules of all these filters, in order. What cannot be applied lets nothing through, and is
   * named to `report`.
   */
  combine(names: readonly string[], report: (problem: string) => void): PeerFilters {
    let all = NO_FILTERS;
    for (const name of names) {
      let filter = this.#filters.get(name);
      if (filter === undefined) {
        report(`BGPFilter "${name}" does not exist or cannot be used: no route passes it`);
        filter = rejectingAll(name);
      }
      all = {
        import: concatenate(all.import, filter.import),
        export: concatenate(all.export, filter.export),
      };
    }
    return all;
  }
}

function concatenate(a: PeerFilters['import'], b: PeerFilters['import']): PeerFilters['import'] {
  return { 4: [...a[4], ...b[4]], 6: [...a[6], ...b[6]] };
}

function compile(name: string, spec: Spec): PeerFilters {
  const rules = (list: (typeof LISTS)[number]): FilterRule[] => {
    const family = list.endsWith('V4') ? 4 : 6;
    return (spec[list] ?? []).map((rule, index) =>
      compileRule(`rule ${index + 1} of ${list} of BGPFilter "${name}"`, rule, family),
    );
  };
  return {
    import: { 4: rules('importV4'), 6: rules('importV6') },
    export: { 4: rules('exportV4'), 6: rules('exportV6') },
  };
}

const ANY: Omit<FilterRule, 'name' | 'accepts'> = {
  prefix: undefined,
  isFromPeers: false,
  interface: undefined,
  isInternal: undefined,
  community: undefined,
  asPathPrefix: undefined,
  localPreference: undefined,
  changes: undefined,
};

function rejectingAll(name: string): PeerFilters {
  const rules = [{ ...ANY, name: `missing BGPFilter "${name}"`, accepts: false }];
  const both = { 4: rules, 6: rules };
  return { import: both, export: both };
}

function compileRule(name: string, rule: RuleSpec, family: Family): FilterRule {
  const { priority, communities, asPathPrefix, source, peerType } = rule;
  return {
    name,
    prefix: compilePrefix(rule, family),
    isFromPeers: source === 'RemotePeers',
    interface: rule.interface,
    isInternal: peerType === undefined ? undefined : peerType === 'iBGP',
    community: communities === undefined ? undefined : parseCommunities(communities.values),
    asPathPrefix,
    localPreference: priority === undefined ? undefined : localPreferenceOf(priority),
    accepts: rule.action === 'Accept',
    changes: rule.operations === undefined ? undefined : compileOperations(rule.operations),
  };
}

function compilePrefix(rule: RuleSpec, family: Family): PrefixMatch | undefined {
  const { cidr, matchOperator, prefixLength } = rule;
  if (cidr === undefined || matchOperator === undefined) return undefined;
  const prefix = parsePrefix(cidr, { hostBits: 'clear' });
  const bounds = prefixLength && {
    min: prefixLength.min ?? prefix.length,
    max: prefixLength.max ?? (family === 4 ? 32 : 128),
  };
  return { operator: matchOperator, prefix, lengths: bounds };
}

function compileOperations(operations: NonNullable<RuleSpec['operations']>): RouteChanges {
  let prepend: readonly number[] = [];
  let localPreference: number | undefined;
  const texts: string[] = [];
  for (const { addCommunity, prependASPath, setPriority } of operations) {
    if (addCommunity !== undefined) texts.push(addCommunity.value);
    // A stored rule may have AS 0, which is nobody's and would make the path malformed (RFC 7607).
    const asns = prependASPath?.prefix.filter((asn) => asn !== 0) ?? [];
    prepend = [...asns, ...prepend];
    if (setPriority !== undefined) localPreference = localPreferenceOf(setPriority.value);
  }
  const add = parseCommunities(texts);
  return { id: JSON.stringify([prepend, texts, localPreference]), prepend, add, localPreference };
}

/** @param texts "aa:nn" and "aa:nn:mm" */
export function parseCommunities(texts: readonly string[]): CommunitySet {
  const standard: number[] = [];
  const large: CommunitySet['large'][number][] = [];
  for (const text of texts) {
    const [first = 0, second = 0, third] = text.split(':').map(Number);
    if (third === undefined) standard.push(first * 0x1_0000 + second);
    else large.push({ global: first, local1: second, local2: third });
  }
  return { standard, large };
}

/** Which communities own prefixes are announced with. */
export function deriveAdvertisements(spec: BGPConfiguration['spec']): Advertisement[] {
  const named = new Map(spec.communities?.map(({ name, value }) => [name, value]));
  return (spec.prefixAdvertisements ?? []).map(({ cidr, communities }) => ({
    prefix: parsePrefix(cidr, { hostBits: 'clear' }) satisfies Prefix,
    add: parseCommunities(communities.map((text) => named.get(text) ?? text)),
  }));
}
