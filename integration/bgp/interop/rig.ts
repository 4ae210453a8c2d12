// Ours and one foreign daemon: sets a session up on both ends, and compares what each has of the other.
import assert from 'node:assert/strict';
import { type ListRoutesResponse, Table } from '@calico/proto/bgp/v1/bgp';
import type { BgpPeerStatus } from '@calico/proto/events/v1/events';
import { eventually } from '../../lab/wait.ts';
import type { BgpLab } from '../bgp_lab.ts';
import { ATTACHED, type Daemon, OUR_ASN, type SeenRoute, type Session } from './daemon.ts';

export const OURS = 'k8s-node01';
export const OUR_BLOCKS = { 4: '10.244.85.192/26', 6: 'fd00:10:244::/122' } as const;
/** BGPConfiguration.prefixAdvertisements of ours. */
export const OUR_COMMUNITIES = { community: '64512:300', large: '64512:3:4' };
export const SECRET = { name: 'bgp', key: 'password', value: 'open-sesame' };

const UP_MS = 30_000;

export class Rig {
  readonly lab: BgpLab;
  readonly daemon: Daemon;
  readonly #client: ReturnType<BgpLab['bgpClient']>;

  constructor(lab: BgpLab, daemon: Daemon) {
    this.#client = lab.bgpClient(OURS);
    this.lab = lab;
    this.daemon = daemon;
  }

  get #resource(): string {
    return this.daemon.name.toLowerCase().replaceAll(/[ .]/g, '-');
  }

  /** Both ends anew, up, and agreed on what they told each other. */
  async establish(session: Session, spec: object = {}): Promise<void> {
    await this.lab.delete('BGPPeer', this.#resource).catch(() => undefined);
    const { asn, transport, families } = session;
    await this.lab.apply('BGPPeer', this.#resource, {
      peerIP: this.daemon.address(transport),
      asNumber: asn,
      addressFamilies: families.map((family) => `IPv${family}`),
      ...spec,
    });
    await this.daemon.start(session);
    await this.isUp(session);
    await this.agree(session);
  }

  async isUp({ transport }: Session): Promise<void> {
    await eventually(
      async () => (await this.state(transport)) === 'Established',
      UP_MS,
      () => `not established\n--- ${this.daemon.name}\n${this.daemon.log().slice(-2500)}`,
    );
  }

  async state(transport: 4 | 6): Promise<string> {
    return (await this.status(transport))?.state ?? 'none';
  }

  /** The session as ours sees it. */
  async status(transport: 4 | 6): Promise<BgpPeerStatus | undefined> {
    const { peers } = await this.#client.listPeers({}).catch(() => ({ peers: [] }));
    const address = this.daemon.address(transport);
    return peers.find((peer) => peer.address === address);
  }

  /** Waits until each end has exactly what the other announces. */
  async agree(session: Session): Promise<void> {
    let difference = '';
    await eventually(
      async () => {
        try {
          for (const family of session.families) await this.#compare(session, family);
          return true;
        } catch (cause) {
          difference = String(cause);
          return false;
        }
      },
      UP_MS,
      () => `${difference}\n--- ${this.daemon.name}\n${this.daemon.log().slice(-2500)}`,
    );
  }

  /** What ours has from the daemon. */
  async heard({ transport }: Session): Promise<ReadonlyMap<string, ListRoutesResponse>> {
    const peer = this.daemon.address(transport);
    const routes = new Map<string, ListRoutesResponse>();
    const request = { table: Table.ADJ_RIB_IN_BEFORE_POLICY, peer };
    for await (const route of this.#client.listRoutes(request)) {
      routes.set(route.prefix, route);
    }
    return routes;
  }

  async #compare(session: Session, family: 4 | 6): Promise<void> {
    const { asn, routes = [], transport, hasExtendedNextHop } = session;
    const { daemon } = this;
    const isInternal = asn === OUR_ASN;
    const via = hasExtendedNextHop ? transport : family;
    const heard = await this.heard(session);
    const announced = [daemon.announced(family), ...(family === 4 ? routes : [])];
    for (const prefix of announced) {
      const route = heard.get(prefix);
      assert.deepEqual(route && ofOurs(route), {
        nextHop: daemon.address(via),
        asPath: isInternal ? '' : String(asn),
        origin: 'igp',
        communities: [ATTACHED.community],
        largeCommunities: [ATTACHED.large],
        med: ATTACHED.med,
        localPreference: isInternal ? ATTACHED.preference : undefined,
      });
    }
    const prefix = OUR_BLOCKS[family];
    const route = (await daemon.seen(session, family)).get(prefix);
    assert.ok(route, `${daemon.name} has no route to ${prefix}`);
    // What MED and local preference become is each daemon's own matter.
    const { nextHop, asPath, origin, communities, largeCommunities } = route;
    assert.deepEqual(
      { nextHop, asPath, origin: origin.toLowerCase(), communities, largeCommunities },
      {
        nextHop: daemon.ourAddressOf(via),
        asPath: isInternal ? '' : String(OUR_ASN),
        origin: 'igp',
        communities: [OUR_COMMUNITIES.community],
        largeCommunities: [OUR_COMMUNITIES.large],
      },
    );
  }
}

function ofOurs(route: ListRoutesResponse): SeenRoute {
  return {
    nextHop: route.nextHop,
    asPath: route.asPathText,
    origin: route.origin.toLowerCase(),
    communities: route.communities.toSorted(),
    largeCommunities: route.largeCommunities.toSorted(),
    med: route.multiExitDiscriminator,
    localPreference: route.localPreference,
  };
}
