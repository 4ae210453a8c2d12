// Ours and one foreign daemon: sets a session up on both ends, and compares what each has of the other.
import assert from 'node:assert/strict';
import type { ListRoutesResponse } from '@calico/proto/bgp/v1/bgp';
import { eventually } from '../../lab/wait.ts';
import type { BgpLab } from '../bgp_lab.ts';
import { ATTACHED, ATTACHED_ALL } from './attached.ts';
import { type Daemon, OUR_ASN, type SeenRoute, type Session } from './daemon.ts';
import { OurNode } from './our_node.ts';

export const OURS = 'k8s-node01';
/** Ours as well, with a session only where a daemon reflects. */
export const FAR = 'k8s-node02';
export const OUR_BLOCKS = { 4: '10.244.85.192/26', 6: 'fd00:10:244::/122' } as const;
/** BGPConfiguration.prefixAdvertisements of ours. */
export const OUR_COMMUNITIES = { community: '64512:300', large: '64512:3:4' };
/** Announced by ours with communities of all kinds (ATTACHED_ALL). */
export const OUR_RICH = '198.51.100.0/24';
/** Announced by ours with several paths, and by the far node FAR_TWICE. */
export const OUR_TWICE = '198.51.103.0/24';
/** A BGPFilter of ours that adds a community, both ways; of what it lets out that takes the place of OUR_COMMUNITIES. */
export const OUR_FILTER = { name: 'adding', community: '64512:903' };
export const SECRET = { name: 'bgp', key: 'password', value: 'open-sesame' };

const UP_MS = 30_000;

export class Rig {
  readonly lab: BgpLab;
  readonly daemon: Daemon;
  readonly ours: OurNode;
  readonly far: OurNode;

  constructor(lab: BgpLab, daemon: Daemon) {
    this.lab = lab;
    this.daemon = daemon;
    this.ours = new OurNode(lab, OURS);
    this.far = new OurNode(lab, FAR);
  }

  /** Both ends anew, up, and agreed on what they told each other. */
  async establish(session: Session, spec: object = {}, agreeMs = UP_MS): Promise<void> {
    const { transport, isReflector = false } = session;
    const nodes = [this.ours, ...(isReflector ? [this.far] : [])];
    const address = this.daemon.address(transport);
    await this.leave();
    for (const node of nodes) await this.#becomesPeer(node, address, false);
    for (const node of nodes) await this.applyPeer(node, session, spec);
    for (const node of nodes) await this.#becomesPeer(node, address, true);
    await this.daemon.start(session);
    for (const node of nodes) await this.isUp(session, node);
    await this.agree(session, agreeMs);
  }

  /** Ours knows the daemon as this session has it. */
  async applyPeer({ name }: OurNode, session: Session, spec: object): Promise<void> {
    const { asn, transport, families } = session;
    await this.lab.apply('BGPPeer', this.#resource(name), {
      node: name,
      peerIP: this.daemon.address(transport),
      asNumber: asn,
      addressFamilies: families.map((family) => `IPv${family}`),
      ...spec,
    });
  }

  /** Nobody of ours has a session with the daemon any more. */
  async leave(): Promise<void> {
    for (const { name } of [this.ours, this.far]) {
      await this.lab.delete('BGPPeer', this.#resource(name)).catch(() => undefined);
    }
  }

  /**
   * A connection that the daemon opens before the new settings are in force here is closed by packets that its
   * TTL security drops, and it would wait on it for minutes.
   */
  async #becomesPeer(node: OurNode, address: string, isPeer: boolean): Promise<void> {
    await eventually(
      async () => ((await node.status(address)) !== undefined) === isPeer,
      UP_MS,
      () => `${address} is ${isPeer ? 'not yet' : 'still'} a peer of ${node.name}${this.#log()}`,
    );
  }

  async isUp({ transport }: Session, node = this.ours): Promise<void> {
    const address = this.daemon.address(transport);
    await eventually(
      async () => (await node.status(address))?.state === 'Established',
      UP_MS,
      () => `not established with ${node.name}${this.#log()}`,
    );
  }

  /** Waits until each end has exactly what the other announces. */
  async agree(session: Session, timeoutMs = UP_MS): Promise<void> {
    await this.becomes(async () => {
      for (const family of session.families) await this.#compare(session, family);
    }, timeoutMs);
  }

  /** Waits until the check no longer throws. */
  async becomes(check: () => Promise<void>, timeoutMs = UP_MS): Promise<void> {
    let difference = '';
    await eventually(
      async () => {
        try {
          await check();
          return true;
        } catch (cause) {
          difference = String(cause);
          return false;
        }
      },
      timeoutMs,
      () => `${difference}${this.#log()}`,
    );
  }

  /** What ours has from the daemon. */
  heard({ transport }: Session): Promise<ListRoutesResponse[]> {
    return this.ours.heard(this.daemon.address(transport));
  }

  async #compare(session: Session, family: 4 | 6): Promise<void> {
    const { asn, routes = [], transport, hasExtendedNextHop, attached = ATTACHED } = session;
    const { adds = {}, isFiltered = false } = session;
    const { daemon } = this;
    const isInternal = asn === OUR_ASN;
    const via = hasExtendedNextHop ? transport : family;
    const heard = byPrefix(await this.heard(session));
    const announced = [daemon.announced(family), ...(family === 4 ? routes : [])];
    for (const prefix of announced) {
      const route = heard.get(prefix);
      assert.deepEqual(route && ofOurs(route), {
        prefix,
        nextHop: daemon.address(via),
        asPath: isInternal ? '' : String(asn),
        origin: 'igp',
        communities: withMore(attached.communities, adds.told),
        extendedCommunities: daemon.attachesExtended ? attached.extended : [],
        largeCommunities: attached.large,
        med: attached.med,
        localPreference: isInternal ? attached.preference : undefined,
      });
    }
    const seen = byPrefix(await daemon.seen(session, family));
    const expected = {
      nextHop: daemon.ourAddressOf(via),
      asPath: isInternal ? '' : String(OUR_ASN),
      origin: 'igp',
    };
    const told = isFiltered ? OUR_FILTER.community : OUR_COMMUNITIES.community;
    this.#isSeen(seen, OUR_BLOCKS[family], {
      ...expected,
      // Who is no router has no policy.
      communities: withMore([told], daemon.isRouter ? adds.heard : undefined),
      extendedCommunities: [],
      largeCommunities: isFiltered ? [] : [OUR_COMMUNITIES.large],
    });
    if (attached !== ATTACHED_ALL || family === 6) return;
    const { communities, extended: extendedCommunities, large: largeCommunities } = attached;
    const all = { communities, extendedCommunities, largeCommunities };
    this.#isSeen(seen, OUR_RICH, { ...expected, ...all });
  }

  /** What MED and local preference become is each daemon's own matter. */
  #isSeen(
    seen: ReadonlyMap<string, SeenRoute>,
    prefix: string,
    expected: Omit<SeenRoute, 'prefix' | 'med' | 'localPreference'>,
  ): void {
    const route = seen.get(prefix);
    assert.ok(route, `${this.daemon.name} has no route to ${prefix}`);
    const { prefix: _prefix, med: _med, localPreference: _preference, ...rest } = route;
    assert.deepEqual({ ...rest, origin: rest.origin.toLowerCase() }, expected);
  }

  #resource(node: string): string {
    return `${node}-${this.daemon.name.toLowerCase().replaceAll(/[ .]/g, '-')}`;
  }

  #log(): string {
    return `\n--- ${this.daemon.name}\n${this.daemon.log().slice(-2500)}`;
  }
}

function withMore(communities: readonly string[], more: string | undefined): readonly string[] {
  return more === undefined ? communities : [...communities, more].toSorted();
}

export function byPrefix<T extends { readonly prefix: string }>(
  routes: readonly T[],
): ReadonlyMap<string, T> {
  return new Map(routes.map((route) => [route.prefix, route]));
}

function ofOurs(route: ListRoutesResponse): SeenRoute {
  return {
    prefix: route.prefix,
    nextHop: route.nextHop,
    asPath: route.asPathText,
    origin: route.origin.toLowerCase(),
    communities: route.communities.toSorted(),
    extendedCommunities: route.extendedCommunities.toSorted(),
    largeCommunities: route.largeCommunities.toSorted(),
    med: route.multiExitDiscriminator,
    localPreference: route.localPreference,
  };
}
