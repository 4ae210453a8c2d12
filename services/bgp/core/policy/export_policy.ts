// Which routes a peer is told, and with which attributes: RFC 4271 section 5, reflection RFC 4456,
// and what leaves a node of the cluster (upstream's calico_export_to_bgp_peers).
import {
  type AttributeRewrite,
  Community,
  type PathAttributes,
  prependAs,
  prependMember,
  withoutMembers,
} from '@calico/bgp-wire';
import {
  type Address,
  formatPrefix,
  isLinkLocal,
  type Prefix,
  prefixContains,
  sameAddress,
} from '@calico/ip';
import {
  DEFAULT_LOCAL_PREFERENCE,
  type Path,
  type PathData,
  type PathSource,
} from '../rib/path.ts';
import { PrefixRanges } from '../rib/prefix_ranges.ts';
import type { PrefixTable } from '../rib/prefix_table.ts';
import { asSetRefusal } from './as_sets.ts';
import { exportLeak, isMarkedOnExport } from './only_to_customer.ts';
import { prefixRulesOf } from './prefix_rules.ts';
import {
  addCommunities,
  applyChanges,
  type FilterRule,
  findRule,
  linkOf,
  NO_FILTERS,
  type RouteChanges,
} from './route_filter.ts';
import type { LocalPolicy, PeerPolicy, PoolPolicy } from './types.ts';

const OPTIONAL = 0x80;
const PARTIAL = 0x20;
/** More than there are pools. */
const POOLS = 0x1_0000;

/** Name of the interface that a next hop is reached through; undefined when it is not reached. */
export type InterfaceOf = (nextHop: Address) => string | undefined;

export type Export =
  | {
      readonly kind: 'accepted';
      readonly data: PathData;
      /** What let it out, for people. */
      readonly reason: string;
    }
  | { readonly kind: 'rejected'; readonly reason: string };

type Verdict =
  | {
      readonly kind: 'accepted';
      readonly nextHop: Address;
      readonly rule: FilterRule | undefined;
      readonly reason: string;
    }
  | { readonly kind: 'rejected'; readonly reason: string };

/** Answers the same object for the routes of one attribute set that come one after another. */
export class ExportPolicy {
  readonly #local: LocalPolicy;
  readonly #interfaceOf: InterfaceOf;
  readonly #pools: PrefixRanges;
  readonly #services: PrefixRanges;
  #last:
    | {
        readonly from: PathData;
        readonly policy: PeerPolicy;
        readonly source: Path['source'];
        readonly key: string;
        readonly data: PathData;
      }
    | undefined;

  /** @param interfaceOf which interface a next hop is reached through, for filters */
  constructor(local: LocalPolicy, interfaceOf: InterfaceOf = () => undefined) {
    this.#local = local;
    this.#interfaceOf = interfaceOf;
    this.#pools = new PrefixRanges(local.pools.map(({ prefix }) => prefix));
    this.#services = new PrefixRanges(local.serviceRanges);
  }

  /**
   * Routes with the same number, attributes and source have the same outcome; below 0 the outcome
   * may depend on each prefix.
   */
  kindOf(prefixes: PrefixTable, id: number, policy: PeerPolicy): number {
    const family = prefixes.familyOf(id);
    const rules = prefixRulesOf(policy.filters.export[family]);
    if (rules === undefined) return -1;
    // Advertisements depend on the prefix; roles mark what passes (RFC 9234); a confederation has
    // paths that look otherwise outside (RFC 5065).
    if (this.#local.advertisements.length > 0 || policy.role !== undefined) return -1;
    if (policy.isDispensable || policy.shownAsn !== undefined) return -1;
    if (this.#local.confederation !== undefined && !policy.isInternal) return -1;
    if (this.#local.aggregates !== undefined && !policy.isInternal) return -1;
    const rule = rules.find(prefixes, id) + 1;
    const pool = this.#pools.lastContaining(prefixes, id) + 1;
    const isService = Number(this.#services.lastContaining(prefixes, id) >= 0);
    return ((rule * POOLS + pool) * 2 + isService) * 2 + Number(family === 6);
  }

  /** Whether the peer is on this node's own network, for each family. */
  sharesSubnet({ address }: PeerPolicy): readonly boolean[] {
    return ([4, 6] as const).map((family) => {
      const subnet = this.#local.subnet[family];
      return subnet !== undefined && prefixContains(subnet, address);
    });
  }

  /** @param peer its key; '' for what is told to all but the one that it comes from */
  export(path: Path, peer: string, policy: PeerPolicy): Export {
    const verdict = this.judge(path, peer, policy);
    if (verdict.kind === 'rejected') return verdict;
    const { nextHop, rule, reason } = verdict;
    return { kind: 'accepted', data: this.#dataFor(path, policy, nextHop, rule), reason };
  }

  /** As export(), without making the attributes. */
  judge(path: Path, peer: string, policy: PeerPolicy): Verdict {
    const refusal = this.#protocolRefusal(path, peer, policy);
    if (refusal !== undefined) return { kind: 'rejected', reason: refusal };
    const rule = this.#findRule(path, policy);
    const reason = rule?.name ?? this.#clusterRefusal(path) ?? this.#aggregateOf(path, policy);
    if (rule === undefined ? reason !== undefined : !rule.accepts) {
      return { kind: 'rejected', reason: reason ?? '' };
    }
    const nextHop = this.#nextHop(path, policy);
    if (nextHop === undefined) {
      return { kind: 'rejected', reason: 'this node has no address to be the next hop' };
    }
    return { kind: 'accepted', nextHop, rule, reason: rule?.name ?? this.#clusterReason(path) };
  }

  /** What becomes of the attributes of a peer's path that no rule and no advertisement changes. */
  rewriteOf(
    source: PathSource & { kind: 'peer' },
    policy: PeerPolicy,
    nextHop: Address,
  ): AttributeRewrite {
    const { clusterId } = this.#local;
    const isReflected = source.isInternal && policy.isInternal && clusterId !== undefined;
    return {
      nextHop,
      prepend: policy.isInternal ? undefined : policy.localAsn,
      localPreference: DEFAULT_LOCAL_PREFERENCE,
      reflection: isReflected ? { originatorId: source.routerId, clusterId } : undefined,
    };
  }

  /** Whether the peer may be told routes of this source at all. */
  tells(source: PathSource, policy: PeerPolicy): boolean {
    if (source.kind === 'local' || !source.isInternal || !policy.isInternal) return true;
    return this.#isReflected(source, policy);
  }

  /** Whether external peers may be told of the route by way of an aggregate. */
  mayAggregate(path: Path): boolean {
    const refusal = this.#protocolRefusal(path, '', ANYBODY) ?? this.#clusterRefusal(path);
    return refusal === undefined;
  }

  /** What BGP itself forbids; filters cannot allow it. */
  #protocolRefusal(path: Path, peer: string, policy: PeerPolicy): string | undefined {
    const { source, data } = path;
    if (source.kind === 'peer') {
      if (source.peer === peer) return 'learned from this peer';
      if (!this.tells(source, policy)) return 'internal routes are not told to internal peers';
    } else if (source.isAggregate && (policy.isInternal || policy.isMember)) {
      return 'aggregates are for external peers';
    }
    // Such a route is an injected one: of peers it is not taken in.
    const setRefusal = asSetRefusal(data.attributes, this.#local);
    if (setRefusal !== undefined) return setRefusal;
    const leak = policy.role === undefined ? undefined : exportLeak(data.attributes, policy.role);
    if (leak !== undefined) return leak;
    const { communities } = data.attributes;
    if (policy.knowsLongLived !== true && communities?.includes(Community.LongLivedStale)) {
      return 'stale for long: only for peers that know what that means';
    }
    if (communities?.includes(Community.NoAdvertise)) return 'community no-advertise';
    const isOutside = !policy.isInternal && policy.isMember !== true;
    if (
      (isOutside && communities?.includes(Community.NoExport)) ||
      (!policy.isInternal && communities?.includes(Community.NoExportSubconfed))
    ) {
      return 'community no-export';
    }
    // RFC 7999 section 3.2: what is to be dropped here must not be drawn here from elsewhere.
    if (source.kind === 'peer' && isOutside && communities?.includes(Community.Blackhole)) {
      return 'community blackhole';
    }
    return undefined;
  }

  #findRule({ prefix, source, data }: Path, policy: PeerPolicy): FilterRule | undefined {
    const rules = policy.filters.export[prefix.family];
    if (rules.length === 0) return undefined;
    return findRule(rules, {
      prefix,
      data,
      isFromPeer: source.kind === 'peer',
      isInternal: policy.isInternal,
      interfaceName: () =>
        source.kind === 'peer'
          ? (linkOf(data.nextHop, source.interface) ?? this.#interfaceOf(data.nextHop))
          : undefined,
    });
  }

  /** RFC 4456 section 6. */
  #isReflected(source: { readonly isClient: boolean }, policy: PeerPolicy): boolean {
    return this.#local.clusterId !== undefined && (source.isClient || policy.isReflectorClient);
  }

  #clusterRefusal({ prefix, source }: Path): string | undefined {
    const pool = this.#poolOf(prefix);
    if (pool?.isExported === false) return 'its pool has disableBGPExport';
    if (source.kind === 'local' || pool?.isEnabled) return undefined;
    return this.#isReflectedService(prefix) ? undefined : 'not in an enabled pool';
  }

  /** That external peers are told an aggregate instead. An accepting filter rule tells them the route as well. */
  #aggregateOf({ prefix }: Path, policy: PeerPolicy): string | undefined {
    if (policy.isInternal || policy.isMember) return undefined;
    const found = this.#local.aggregates?.find(
      (each) => each.length < prefix.length && prefixContains(each, prefix),
    );
    return found === undefined ? undefined : `part of the aggregate "${formatPrefix(found)}"`;
  }

  #clusterReason({ prefix, source }: Path): string {
    if (source.kind === 'local') {
      if (source.isAggregate) return 'aggregated here';
      if (source.isService) return 'the address of a service';
      return source.client === undefined ? 'originated here' : `injected by "${source.client}"`;
    }
    return this.#poolOf(prefix)?.isEnabled ? 'in an enabled pool' : 'in a range of services';
  }

  #poolOf(prefix: Prefix): PoolPolicy | undefined {
    return this.#local.pools.findLast((each) => prefixContains(each.prefix, prefix));
  }

  #isReflectedService(prefix: Prefix): boolean {
    const { clusterId, serviceRanges } = this.#local;
    return clusterId !== undefined && serviceRanges.some((range) => prefixContains(range, prefix));
  }

  #nextHop({ prefix, data }: Path, policy: PeerPolicy): Address | undefined {
    const { address } = this.#local;
    const isExtended = policy.extendedNextHop === true && prefix.family === 4;
    const { ownAddress } = policy;
    const family = isExtended ? 6 : prefix.family;
    const nodes = isExtended ? (address[6] ?? address[4]) : address[family];
    const global = ownAddress?.family === family ? ownAddress : nodes;
    const own = family === 6 ? (policy.linkLocal ?? global) : global;
    if (data.nextHop.value === 0n || policy.nextHopMode === 'Self') return own;
    // A peer without RFC 8950 has no use for a next hop of the other family.
    if (data.nextHop.family !== prefix.family && !isExtended) return own;
    // Nobody else is on that link.
    if (isLinkLocal(data.nextHop)) return own;
    if (policy.isInternal || policy.isMember || policy.nextHopMode === 'Keep') return data.nextHop;
    // An external peer on the same network may go to the next hop directly (RFC 4271 5.1.3).
    const subnet = this.#local.subnet[prefix.family];
    const isShared =
      subnet !== undefined &&
      prefixContains(subnet, policy.address) &&
      prefixContains(subnet, data.nextHop);
    return isShared ? data.nextHop : own;
  }

  #dataFor(
    { prefix, source, data }: Path,
    policy: PeerPolicy,
    nextHop: Address,
    rule: FilterRule | undefined,
  ): PathData {
    const isReflected = source.kind === 'peer' && source.isInternal && policy.isInternal;
    // An accepting filter is the last word: communities of the configuration come after filters.
    const added = rule === undefined ? this.#advertisementsOf(prefix) : [];
    const key = `${added.join()}|${rule?.changes?.id ?? ''}`;
    const last = this.#last;
    if (
      last?.from === data &&
      last.policy === policy &&
      last.source === source &&
      last.key === key &&
      sameAddress(last.data.nextHop, nextHop)
    ) {
      return last.data;
    }
    const isMarked = policy.role !== undefined && isMarkedOnExport(policy.role);
    let changed = rule?.changes === undefined ? data : applyChanges(data, rule.changes);
    for (const index of added) {
      const advertisement = this.#local.advertisements[index];
      if (advertisement !== undefined) changed = addCommunities(changed, advertisement.add);
    }
    if (policy.isDispensable) changed = applyChanges(changed, FAREWELL);
    const passed = source.kind === 'local' ? changed.attributes : markPartial(changed.attributes);
    const attributes = policy.isInternal
      ? this.#internal(passed, isReflected ? source.routerId : undefined)
      : policy.isMember
        ? toMember(this.#internal(passed, undefined), policy.localAsn)
        : external(passed, policy, source.kind === 'local', isMarked);
    const answer = { attributes, nextHop };
    this.#last = { from: data, policy, source, key, data: answer };
    return answer;
  }

  /** Which advertisements of the configuration apply, by index. */
  #advertisementsOf(prefix: Prefix): readonly number[] {
    const { advertisements } = this.#local;
    if (advertisements.length === 0) return NONE;
    return advertisements.flatMap((each, index) =>
      prefixContains(each.prefix, prefix) ? [index] : [],
    );
  }

  /** @param originator router id of the client or peer whose route is reflected */
  #internal(attributes: PathAttributes, originator: number | undefined): PathAttributes {
    const { clusterId } = this.#local;
    const localPreference = attributes.localPreference ?? DEFAULT_LOCAL_PREFERENCE;
    if (originator === undefined || clusterId === undefined) {
      return { ...attributes, localPreference };
    }
    return {
      ...attributes,
      localPreference,
      originatorId: attributes.originatorId ?? originator,
      clusterList: [clusterId, ...(attributes.clusterList ?? [])],
    };
  }
}

const NONE: readonly number[] = [];

/** Some external peer. */
const ANYBODY: PeerPolicy = {
  address: { family: 4, value: 0n },
  isInternal: false,
  isReflectorClient: false,
  nextHopMode: 'Auto',
  localAsn: 0,
  allowedOwnAs: 0,
  filters: NO_FILTERS,
};

/** RFC 8326: what is told so is the last choice. */
const FAREWELL: RouteChanges = {
  id: 'farewell',
  prepend: [],
  add: { standard: [Community.GracefulShutdown], large: [] },
  localPreference: 0,
};

/** Inside a confederation all stays but for the path (RFC 5065 section 5), and what reflectors add. */
function toMember(attributes: PathAttributes, localAsn: number): PathAttributes {
  const { originatorId: _originatorId, clusterList: _clusterList, ...rest } = attributes;
  return { ...rest, asPath: prependMember(attributes.asPath ?? [], [localAsn]) };
}

/** @param isMarked told to customers only from here on (RFC 9234) */
function external(
  attributes: PathAttributes,
  { localAsn, shownAsn }: PeerPolicy,
  isOwn: boolean,
  isMarked: boolean,
): PathAttributes {
  const {
    localPreference: _localPreference,
    originatorId: _originatorId,
    clusterList: _clusterList,
    multiExitDiscriminator,
    extendedCommunities,
    ...rest
  } = attributes;
  const leaving = extendedCommunities?.filter(isTransitive) ?? [];
  const asns = shownAsn === undefined ? [localAsn] : [localAsn, shownAsn];
  return {
    ...rest,
    asPath: prependAs(withoutMembers(attributes.asPath ?? []), asns),
    ...(isMarked ? { onlyToCustomer: attributes.onlyToCustomer ?? localAsn } : {}),
    ...(leaving.length === 0 ? {} : { extendedCommunities: leaving }),
    // MED from one AS is not passed to another (RFC 4271 section 5.1.4).
    ...(isOwn && multiExitDiscriminator !== undefined ? { multiExitDiscriminator } : {}),
  };
}

/** RFC 4360 section 6: the others stay in the AS. */
function isTransitive(community: bigint): boolean {
  return (community & (0x40n << 56n)) === 0n;
}

/** RFC 4271 section 5: attributes that are passed on without being understood are marked. */
function markPartial(attributes: PathAttributes): PathAttributes {
  if (attributes.unknown === undefined) return attributes;
  return {
    ...attributes,
    unknown: attributes.unknown.map((attribute) => ({
      ...attribute,
      flags: (attribute.flags & OPTIONAL) === 0 ? attribute.flags : attribute.flags | PARTIAL,
    })),
  };
}
