// A speaker of ours as the matrix asks it: what it has from a peer, and what it is made to announce.
import { decodeMrt, type MrtRecord } from '@calico/bgp-wire';
import { type ListRoutesResponse, Table } from '@calico/proto/bgp/v1/bgp';
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

  /** What a peer has told. */
  async heard(peer: string): Promise<ListRoutesResponse[]> {
    const routes: ListRoutesResponse[] = [];
    const request = { table: Table.ADJ_RIB_IN_BEFORE_POLICY, peer };
    for await (const route of this.#client.listRoutes(request)) routes.push(route);
    return routes;
  }

  /** @param mrt pieces of a table */
  async announce(client: string, mrt: Iterable<Uint8Array>): Promise<void> {
    for (const piece of mrt) await this.#client.injectRoutes({ client, mrt: piece });
  }

  /** All paths of its table. */
  async *table(): AsyncGenerator<MrtRecord> {
    for await (const { mrt } of this.#client.dumpTable({})) yield* decodeMrt(mrt);
  }
}
