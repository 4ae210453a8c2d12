// Sends probes from everywhere to everywhere and says which arrived and which were answered. Nothing is decided
// by waiting: packets of one CPU are handled in order, so whatever has not arrived when a packet that was sent
// later has come the longest way will not arrive any more.
import { withNetns } from '@calico/netlink';
import { eventually } from '../../lab/wait.ts';
import { CANAL_ENDS, DifferentialNetwork, PLACES, type PlaceName } from './network.ts';
import { payloadOf, receiptOf } from './packets.ts';
import { GRE, ICMP, ICMP_V6, IPIP, LISTENED_PORT, type Probe, SCTP, TCP, UDP } from './probe.ts';
import {
  ConnectionTable,
  type Family,
  RawSocket,
  sendUdp,
  stayOnOneCpu,
  TcpAttempt,
  TcpListener,
} from './sockets.ts';

export type Observation = {
  readonly arrived: boolean;
  /** Whether an answer came back; undefined for what nobody answers. */
  readonly answered: boolean | undefined;
};

const ECHO_REPLY: Readonly<Record<number, number>> = { 8: 0, 128: 129 };

export class Rig {
  readonly network = new DifferentialNetwork();
  readonly #sockets = new Map<string, RawSocket>();
  readonly #listeners: TcpListener[] = [];
  readonly #tables: ConnectionTable[] = [];
  readonly #canal = new Map<CanalEnd, RawSocket>();
  #barriers = 0;

  async up(): Promise<void> {
    await this.network.up();
    stayOnOneCpu();
    for (const place of Object.keys(PLACES) as PlaceName[]) {
      withNetns(this.network.netns(place), () => this.#open(place));
    }
    for (const end of ['quay', 'harbour'] as const) {
      this.#canal.set(
        end,
        withNetns(this.network.netns(end), () => new RawSocket(4, ICMP)),
      );
    }
    for (const node of ['node-a', 'node-b'] as const) {
      this.#tables.push(withNetns(this.network.netns(node), () => new ConnectionTable()));
    }
  }

  async down(): Promise<void> {
    for (const socket of [...this.#sockets.values(), ...this.#canal.values()]) socket.close();
    for (const listener of this.#listeners) listener.close();
    for (const table of this.#tables) table.close();
    await this.network.down();
  }

  /** Every probe begins a connection of its own that nobody has seen before. */
  async round(probes: readonly Probe[]): Promise<Observation[]> {
    await this.#barrier('quay', 'harbour');
    for (const table of this.#tables) table.flush();
    this.#drain();
    const attempts = probes.map((probe, id) => this.#send(probe, id + 1));
    await this.#barrier('quay', 'harbour');
    await this.#barrier('harbour', 'quay');
    const receipts = this.#drain();
    const observations = probes.map((probe, id) => ({
      arrived: receipts.has(`${probe.to} ${this.#receipt(probe, id + 1)}`),
      answered: attempts[id]?.isAnswered ?? this.#echoed(probe, id + 1, receipts),
    }));
    for (const attempt of attempts) attempt?.close();
    for (const listener of this.#listeners) listener.drain();
    return observations;
  }

  #open(place: PlaceName): void {
    const families: readonly Family[] = [4, 6];
    for (const family of families) {
      for (const protocol of [TCP, UDP, SCTP, family === 4 ? ICMP : ICMP_V6, GRE, IPIP]) {
        const socket = new RawSocket(family, protocol);
        this.#sockets.set(`${place} ${family} ${protocol}`, socket);
      }
    }
    this.#listeners.push(new TcpListener(LISTENED_PORT));
  }

  #send(probe: Probe, id: number): TcpAttempt | undefined {
    const { from, to, family, protocol, sourcePort, destinationPort } = probe;
    const source = { address: addressOf(from, family), port: sourcePort };
    const destination = { address: addressOf(to, family), port: destinationPort };
    const netns = this.network.netns(from);
    if (protocol === TCP) return withNetns(netns, () => new TcpAttempt(source, destination));
    if (protocol === UDP) withNetns(netns, () => sendUdp(source, destination));
    else this.#socket(from, family, protocol).send(destination.address, payloadOf(probe, id));
    return undefined;
  }

  #echoed(probe: Probe, id: number, receipts: ReadonlySet<string>): boolean | undefined {
    const { from, to, family, protocol, icmpType, icmpCode } = probe;
    const reply = ECHO_REPLY[icmpType];
    if (reply === undefined || (protocol !== ICMP && protocol !== ICMP_V6)) return undefined;
    const source = addressOf(to, family);
    return receipts.has(`${from} ${family} ${protocol} ${source} ${reply} ${icmpCode} ${id}`);
  }

  #receipt(probe: Probe, id: number): string {
    const { family, protocol, from, sourcePort, destinationPort } = probe;
    const payload = payloadOf(probe, id);
    if (protocol === TCP || protocol === UDP) {
      const view = new DataView(payload.buffer);
      view.setUint16(0, sourcePort);
      view.setUint16(2, destinationPort);
    }
    return receiptOf(family, protocol, addressOf(from, family), payload);
  }

  async #barrier(from: CanalEnd, to: CanalEnd): Promise<void> {
    const id = this.#barriers++ % 65_536;
    const receipt = receiptOf(4, ICMP, CANAL_ENDS[from], payloadOf(BARRIER, id));
    this.#canal.get(from)?.send(CANAL_ENDS[to], payloadOf(BARRIER, id));
    const arrivals = this.#canal.get(to);
    await eventually(
      () => {
        for (let found = arrivals?.receive(); found; found = arrivals?.receive()) {
          if (receiptOf(4, ICMP, found.source, found.payload) === receipt) return true;
        }
        return false;
      },
      10_000,
      () => `the last packet from ${from} did not arrive at ${to}`,
    );
  }

  #drain(): Set<string> {
    const receipts = new Set<string>();
    for (const [key, socket] of this.#sockets) {
      const [place = '', family, protocol] = key.split(' ');
      for (let found = socket.receive(); found; found = socket.receive()) {
        const { source, payload } = found;
        const text = receiptOf(Number(family) as Family, Number(protocol), source, payload);
        receipts.add(`${place} ${text}`);
      }
    }
    return receipts;
  }

  #socket(place: PlaceName, family: Family, protocol: number): RawSocket {
    const socket = this.#sockets.get(`${place} ${family} ${protocol}`);
    if (socket === undefined) throw new RangeError(`Cannot find a socket of ${place}`);
    return socket;
  }
}

type CanalEnd = keyof typeof CANAL_ENDS;

const BARRIER: Probe = {
  from: 'outside',
  to: 'outside',
  family: 4,
  protocol: ICMP,
  sourcePort: 0,
  destinationPort: 0,
  icmpType: 8,
  icmpCode: 0,
};

export function addressOf(place: PlaceName, family: Family): string {
  return family === 4 ? PLACES[place].address4 : PLACES[place].address6;
}
