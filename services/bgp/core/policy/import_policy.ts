// Which announcements of a peer are taken in, and as what.
import { asPathContains, Community } from '@calico/bgp-wire';
import { type Prefix, sameAddress } from '@calico/ip';
import type { PathData } from '../rib/path.ts';
import type { InterfaceOf } from './export_policy.ts';
import { applyChanges, findRule, type RouteChanges } from './route_filter.ts';
import type { LocalPolicy, PeerPolicy } from './types.ts';

export type Import =
  | { readonly kind: 'accepted'; readonly data: PathData; readonly reason: string }
  | { readonly kind: 'rejected'; readonly reason: string };

/**
 * Answers the same object for the same attributes and changes, so that routes of one attribute set
 * stay together.
 */
export class ImportPolicy {
  readonly #local: LocalPolicy;
  readonly #interfaceOf: InterfaceOf;
  readonly #made = new WeakMap<PathData, Map<string, PathData>>();
  #last:
    | { readonly data: PathData; readonly peer: PeerPolicy; readonly refusal: string | undefined }
    | undefined;

  constructor(local: LocalPolicy, interfaceOf: InterfaceOf = () => undefined) {
    this.#local = local;
    this.#interfaceOf = interfaceOf;
  }

  import(prefix: Prefix, received: PathData, peer: PeerPolicy): Import {
    const refusal = this.#refusalOf(received, peer);
    if (refusal !== undefined) return { kind: 'rejected', reason: refusal };
    const isLeaving =
      !peer.isInternal && received.attributes.communities?.includes(Community.GracefulShutdown);
    const data = isLeaving ? this.#changed(received, LAST_RESORT) : received;
    const rules = peer.filters.import[prefix.family];
    const rule =
      rules.length === 0
        ? undefined
        : findRule(rules, {
            prefix,
            data,
            isFromPeer: true,
            isInternal: peer.isInternal,
            interfaceName: () => this.#interfaceOf(data.nextHop),
          });
    if (rule === undefined) return { kind: 'accepted', data, reason: NO_RULE };
    if (!rule.accepts) return { kind: 'rejected', reason: rule.name };
    const changed = rule.changes === undefined ? data : this.#changed(data, rule.changes);
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

  #changed(data: PathData, changes: RouteChanges): PathData {
    let made = this.#made.get(data);
    if (made === undefined) {
      made = new Map();
      this.#made.set(data, made);
    }
    let answer = made.get(changes.id);
    if (answer === undefined) {
      answer = applyChanges(data, changes);
      made.set(changes.id, answer);
    }
    return answer;
  }
}

/** RFC 8326 section 4: the peer is about to go, so every other path is better. */
const LAST_RESORT: RouteChanges = {
  id: 'graceful-shutdown',
  prepend: [],
  add: { standard: [], large: [] },
  localPreference: 0,
};

const NO_RULE = 'no filter rule matches';

/** Why routes are not taken in, whatever filters say; undefined when they are. */
export function importRefusal(
  { attributes, nextHop }: PathData,
  peer: PeerPolicy,
  local: LocalPolicy,
): string | undefined {
  const own = asPathContains(attributes.asPath ?? [], peer.localAsn);
  if (own > peer.allowedOwnAs) return `AS path holds our own AS number ${own} times`;
  if (peer.isInternal) {
    // RFC 4456 section 8: the two marks of a loop among reflectors.
    if (attributes.originatorId === local.routerId) return 'originated by this speaker';
    const { clusterId } = local;
    if (clusterId !== undefined && attributes.clusterList?.includes(clusterId)) {
      return 'reflected by this cluster before';
    }
  }
  const address = local.address[nextHop.family];
  if (address !== undefined && sameAddress(address, nextHop)) return 'next hop is this node';
  if (nextHop.value === 0n) return 'next hop is no address';
  return undefined;
}
