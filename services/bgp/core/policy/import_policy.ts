// Which announcements of a peer are taken in, and as what.
import { asPathContains, Community, hasMembers, prependAs } from '@calico/bgp-wire';
import { type Address, type Prefix, sameAddress } from '@calico/ip';
import type { AttributeTable } from '../rib/attribute_table.ts';
import type { PathData } from '../rib/path.ts';
import { asSetRefusal } from './as_sets.ts';
import type { InterfaceOf } from './export_policy.ts';
import { importLeak, importMark, type PeerRole } from './only_to_customer.ts';
import { applyChanges, findRule, linkOf, type RouteChanges } from './route_filter.ts';
import type { LocalPolicy, PeerPolicy } from './types.ts';

export type Import =
  | { readonly kind: 'accepted'; readonly data: PathData; readonly reason: string }
  | { readonly kind: 'rejected'; readonly reason: string };

export class ImportPolicy {
  readonly #local: LocalPolicy;
  readonly #interfaceOf: InterfaceOf;
  #last:
    | { readonly data: PathData; readonly peer: PeerPolicy; readonly refusal: string | undefined }
    | undefined;

  constructor(local: LocalPolicy, interfaceOf: InterfaceOf = () => undefined) {
    this.#local = local;
    this.#interfaceOf = interfaceOf;
  }

  /**
   * Whether import() would take the set in as it is, told from the table's numbers alone when no filter
   * looks at the prefix. False: import() has to be asked.
   */
  takesAsIs(id: number, attributes: AttributeTable, peer: PeerPolicy): boolean {
    const { address, confederation, routerId } = this.#local;
    if (peer.role !== undefined || confederation !== undefined) return false;
    if (peer.shownAsn !== undefined) return false;
    if (!attributes.isUnmarked(id) || attributes.hasAs(id, peer.localAsn)) return false;
    if (attributes.clusterLengthOf(id) > 0 || attributes.originatorOf(id) === routerId)
      return false;
    const nextHop = attributes.nextHopOf(id);
    return nextHop.value !== 0n && !isOwn(nextHop, address, peer);
  }

  import(prefix: Prefix, received: PathData, peer: PeerPolicy): Import {
    const refusal = this.#refusalOf(received, peer);
    if (refusal !== undefined) return { kind: 'rejected', reason: refusal };
    const { communities } = received.attributes;
    const isLeaving =
      (!peer.isInternal && communities?.includes(Community.GracefulShutdown)) ||
      communities?.includes(Community.LongLivedStale);
    const marked = peer.role === undefined ? received : mark(received, peer.role);
    const taken = peer.prependsReceived ? prepended(marked, peer.localAsn) : marked;
    const data = isLeaving ? applyChanges(taken, LAST_RESORT) : taken;
    const rules = peer.filters.import[prefix.family];
    const rule =
      rules.length === 0
        ? undefined
        : findRule(rules, {
            prefix,
            data,
            isFromPeer: true,
            isInternal: peer.isInternal,
            interfaceName: () =>
              linkOf(data.nextHop, peer.onLink) ?? this.#interfaceOf(data.nextHop),
          });
    if (rule === undefined) return { kind: 'accepted', data, reason: NO_RULE };
    if (!rule.accepts) return { kind: 'rejected', reason: rule.name };
    const changed = rule.changes === undefined ? data : applyChanges(data, rule.changes);
    return { kind: 'accepted', data: changed, reason: rule.name };
  }

  /** The routes of one UPDATE are judged once. */
  #refusalOf(data: PathData, peer: PeerPolicy): string | undefined {
    const last = this.#last;
    if (last?.data === data && last.peer === peer) return last.refusal;
    const refusal = importRefusal(data, peer, this.#local);
    this.#last = { data, peer, refusal };
    return refusal;
  }
}

function mark(data: PathData, role: PeerRole): PathData {
  const onlyToCustomer = importMark(data.attributes, role);
  if (onlyToCustomer === undefined) return data;
  return { nextHop: data.nextHop, attributes: { ...data.attributes, onlyToCustomer } };
}

function prepended({ nextHop, attributes }: PathData, asn: number): PathData {
  return {
    nextHop,
    attributes: { ...attributes, asPath: prependAs(attributes.asPath ?? [], [asn]) },
  };
}

/** The peer is about to go (RFC 8326 section 4) or has been away for long: every other path is better. */
const LAST_RESORT: RouteChanges = {
  id: 'last-resort',
  prepend: [],
  add: { standard: [], large: [] },
  localPreference: 0,
};

const NO_RULE = 'no filter rule matches';

/** How often is the peer's choice, and each reason is kept for good. */
function loopText(allowed: number): string {
  const limit = allowed === 0 ? '' : ` more often than numAllowedLocalASNumbers, ${allowed}`;
  return `AS path holds our own AS number${limit}`;
}

/** Why routes are not taken in, whatever filters say; undefined when they are. */
export function importRefusal(
  { attributes, nextHop }: PathData,
  peer: PeerPolicy,
  local: LocalPolicy,
): string | undefined {
  const { asPath = [] } = attributes;
  const setRefusal = asSetRefusal(attributes, local);
  if (setRefusal !== undefined) return setRefusal;
  const isInside = local.confederation !== undefined && (peer.isInternal || peer.isMember === true);
  if (!isInside && hasMembers(asPath))
    return 'AS path has segments of a confederation from outside';
  // RFC 5065 section 5.
  if (peer.isMember === true && asPath[0]?.kind !== 'confed-sequence') {
    return 'AS path of another member does not begin with its confederation sequence';
  }
  const { confederation } = local;
  const own =
    asPathContains(asPath, peer.localAsn) +
    (peer.shownAsn === undefined ? 0 : asPathContains(asPath, peer.shownAsn)) +
    (isInside && confederation !== undefined ? asPathContains(asPath, confederation) : 0);
  if (own > peer.allowedOwnAs) return loopText(peer.allowedOwnAs);
  if (peer.isInternal) {
    // RFC 4456 section 8: the two marks of a loop among reflectors.
    if (attributes.originatorId === local.routerId) return 'originated by this speaker';
    const { clusterId } = local;
    if (clusterId !== undefined && attributes.clusterList?.includes(clusterId)) {
      return 'reflected by this cluster before';
    }
  }
  const leak = peer.role === undefined ? undefined : importLeak(attributes, peer.role);
  if (leak !== undefined) return leak;
  if (isOwn(nextHop, local.address, peer)) return 'next hop is this node';
  if (nextHop.value === 0n) return 'next hop is no address';
  return undefined;
}

function isOwn(
  nextHop: Address,
  address: LocalPolicy['address'],
  { ownAddress }: PeerPolicy,
): boolean {
  const node = address[nextHop.family];
  return (
    (node !== undefined && sameAddress(node, nextHop)) ||
    (ownAddress !== undefined && sameAddress(ownAddress, nextHop))
  );
}
