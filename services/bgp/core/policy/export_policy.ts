// Which routes a peer is told, and with which attributes: RFC 4271 section 5, reflection RFC 4456,
// and what leaves a node of the cluster (upstream's calico_export_to_bgp_peers).
import { Community, type PathAttributes, prependAs } from '@calico/bgp-wire';
import { type Address, prefixContains } from '@calico/ip';
import { DEFAULT_LOCAL_PREFERENCE, type Path, type PathData } from '../rib/path.ts';
import type { LocalPolicy, PeerPolicy } from './types.ts';

const OPTIONAL = 0x80;
const PARTIAL = 0x20;

export type Export =
  | { readonly kind: 'accepted'; readonly data: PathData }
  | { readonly kind: 'rejected'; readonly reason: string };

/**
 * Answers the same object for the same path and kind of peer, so that the routes of one attribute
 * set stay together on their way out.
 */
export class ExportPolicy {
  readonly #local: LocalPolicy;
  readonly #made = new WeakMap<PathData, Map<string, PathData>>();

  constructor(local: LocalPolicy) {
    this.#local = local;
  }

  export(path: Path, peer: string, policy: PeerPolicy): Export {
    const reason = this.#refusal(path, peer, policy);
    if (reason !== undefined) return { kind: 'rejected', reason };
    const nextHop = this.#nextHop(path, policy);
    if (nextHop === undefined) {
      return { kind: 'rejected', reason: 'this node has no address to be the next hop' };
    }
    return { kind: 'accepted', data: this.#dataFor(path, policy, nextHop) };
  }

  #refusal(path: Path, peer: string, policy: PeerPolicy): string | undefined {
    const { source, data } = path;
    if (source.kind === 'peer') {
      if (source.peer === peer) return 'learned from this peer';
      if (source.isInternal && policy.isInternal && !this.#isReflected(source, policy)) {
        return 'internal routes are not told to internal peers';
      }
    }
    const { communities } = data.attributes;
    if (communities?.includes(Community.NoAdvertise)) return 'community no-advertise';
    if (
      !policy.isInternal &&
      communities?.some(
        (community) =>
          community === Community.NoExport || community === Community.NoExportSubconfed,
      )
    ) {
      return 'community no-export';
    }
    return this.#clusterRefusal(path);
  }

  /** RFC 4456 section 6. */
  #isReflected(source: { readonly isClient: boolean }, policy: PeerPolicy): boolean {
    return this.#local.clusterId !== undefined && (source.isClient || policy.isReflectorClient);
  }

  #clusterRefusal({ prefix, source }: Path): string | undefined {
    const pool = this.#local.pools.findLast((each) => prefixContains(each.prefix, prefix));
    if (pool?.isExported === false) return 'its pool has disableBGPExport';
    if (source.kind === 'local') return undefined;
    return pool?.isEnabled ? undefined : 'not in an enabled pool';
  }

  #nextHop({ prefix, source, data }: Path, policy: PeerPolicy): Address | undefined {
    const own = this.#local.address[prefix.family];
    if (source.kind === 'local' || policy.nextHopMode === 'Self') return own;
    if (policy.isInternal || policy.nextHopMode === 'Keep') return data.nextHop;
    // An external peer on the same network may go to the next hop directly (RFC 4271 5.1.3).
    const subnet = this.#local.subnet[prefix.family];
    const isShared =
      subnet !== undefined &&
      prefixContains(subnet, policy.address) &&
      prefixContains(subnet, data.nextHop);
    return isShared ? data.nextHop : own;
  }

  #dataFor({ source, data }: Path, policy: PeerPolicy, nextHop: Address): PathData {
    const isReflected = source.kind === 'peer' && source.isInternal && policy.isInternal;
    const key = `${policy.isInternal}|${isReflected}|${nextHop.value}`;
    let made = this.#made.get(data);
    if (made === undefined) {
      made = new Map();
      this.#made.set(data, made);
    }
    let answer = made.get(key);
    if (answer === undefined) {
      const passed = source.kind === 'local' ? data.attributes : markPartial(data.attributes);
      const attributes = policy.isInternal
        ? this.#internal(passed, isReflected ? source.routerId : undefined)
        : this.#external(passed, source.kind === 'local');
      answer = { attributes, nextHop };
      made.set(key, answer);
    }
    return answer;
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

  #external(attributes: PathAttributes, isOwn: boolean): PathAttributes {
    const {
      localPreference: _localPreference,
      originatorId: _originatorId,
      clusterList: _clusterList,
      multiExitDiscriminator,
      ...rest
    } = attributes;
    return {
      ...rest,
      asPath: prependAs(attributes.asPath ?? [], [this.#local.asn]),
      // MED from one AS is not passed to another (RFC 4271 section 5.1.4).
      ...(isOwn && multiExitDiscriminator !== undefined ? { multiExitDiscriminator } : {}),
    };
  }
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
