// A speaker of ours as the matrix asks it: what it has from a peer, and what it is made to announce.
import { decodeMrt, type MrtRecord } from '@calico/bgp-wire';
import { type ListRoutesResponse, ResetKind, Table } from '@calico/proto/bgp/v1/bgp';
import type { BgpPeerStatus } from '@calico/proto/events/v1/events';
import { eventually } from '../../lab/wait.ts';
import type { BgpLab } from '../bgp_lab.ts';

export class OurNode {
  readonly name: string;
  readonly address: string;
  readonly #client: ReturnType<BgpLab['bgpClient']>;

  constructor(lab: BgpLab, name: string) {
    this.name = name;
    this.address = lab.speaker(name).address;
    this.#client = lab.bgpClient(name);
  }

  /** Waits until it answers and knows its configuration. */
  async isReady(): Promise<void> {
    await eventually(
      async () => {
        const { asn } = await this.#client.getSpeaker({}).catch(() => ({ asn: 0 }));
        return asn !== 0;
      },
      30_000,
      () => `${this.name} does not answer`,
    );
  }

  /** The session with a peer. */
  async status(peer: string): Promise<BgpPeerStatus | undefined> {
    const { peers } = await this.#client.listPeers({}).catch(() => ({ peers: [] }));
    return peers.find(({ address }) => address === peer);
  }

  /** What a peer has told, or what import policy has made of it. */
  async heard(
    peer: string,
    table: Table = Table.ADJ_RIB_IN_BEFORE_POLICY,
  ): Promise<ListRoutesResponse[]> {
    const routes: ListRoutesResponse[] = [];
    const request = { table, peer };
    for await (const route of this.#client.listRoutes(request)) routes.push(route);
    return routes;
  }

  /** Asks a peer for its routes again. */
  async ask(peer: string): Promise<void> {
    await this.#client.resetPeer({ peer, kind: ResetKind.SOFT_IN });
  }

  /** Ends the session with a text for the other side, and starts it again. */
  async reset(peer: string, communication: string): Promise<void> {
    await this.#client.resetPeer({ peer, kind: ResetKind.HARD, communication });
  }

  /** @param mrt pieces of a table */
  async announce(client: string, mrt: Iterable<Uint8Array>): Promise<void> {
    for (const piece of mrt) await this.#client.injectRoutes({ client, mrt: piece });
  }

  async takeBack(client: string): Promise<void> {
    await this.#client.withdrawRoutes({ client });
  }

  /** All paths of its table. */
  async *table(): AsyncGenerator<MrtRecord> {
    for await (const { mrt } of this.#client.dumpTable({})) yield* decodeMrt(mrt);
  }
}
