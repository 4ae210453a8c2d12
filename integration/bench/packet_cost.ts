// What a packet of a new flow and a round trip of an established one cost between two pods of one node, measured in turns
// over many nodes, each of which has its own packet filter. Needs root; works in network namespaces of its own.
import { randomBytes } from 'node:crypto';
import { systemLibc, withNetns } from '@calico/netlink';
import { exec, execOk } from '../lab/exec.ts';

const [AF_INET, SOCK_DGRAM_CLOEXEC] = [2, 0x80002];
const PORT = 9000;
/** Source of the established flow. */
const ECHO_PORT = 9001;
const [SOL_SOCKET, SO_REUSEADDR, SO_RCVTIMEO] = [1, 2, 20];
/** Of a turn: short enough to have the CPU for itself now and then. */
const PACKETS = 100;
const ROUND_TRIPS = 20;
const PAYLOAD = new Uint8Array(64);

/** Of the pods of every node: the first sends to the second. */
export const DEVICES = ['calia000000', 'calib000000'] as const;
export const ADDRESSES = ['10.65.0.1', '10.65.0.2'] as const;
export const DESTINATION_PORT = PORT;

export class CostedNode {
  readonly name = `bpp${randomBytes(3).toString('hex')}`;
  readonly #pods = ['c', 's'].map((end) => `${this.name}-${end}`);
  /** Sending, receiving, asking, answering. */
  readonly #sockets: number[] = [];
  readonly #echoed = new Uint8Array(PAYLOAD.length);
  /** Nanoseconds per packet, of each turn. */
  readonly costs: number[] = [];
  /** Nanoseconds per round trip, of each turn. */
  readonly roundTrips: number[] = [];

  get netns(): string {
    return `/run/netns/${this.name}`;
  }

  async connect(): Promise<void> {
    for (const name of [this.name, ...this.#pods]) await execOk(['ip', 'netns', 'add', name]);
    for (const [index, pod] of this.#pods.entries()) {
      const [device = '', address = ''] = [DEVICES[index], ADDRESSES[index]];
      await batch(this.name, [
        `link add ${device} type veth peer name eth0 netns ${pod}`,
        `link set ${device} address ee:ee:ee:ee:ee:ee up`,
        `route add ${address} dev ${device}`,
      ]);
      await batch(pod, [
        `addr add ${address}/32 dev eth0`,
        'link set eth0 up',
        'route add 169.254.1.1 dev eth0',
        'neigh add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0',
        'route add default via 169.254.1.1 dev eth0',
      ]);
      await this.#sysctl(`net.ipv4.conf.${device}.proxy_arp=1`);
    }
    await this.#sysctl('net.ipv4.ip_forward=1');
    const [client = '', server = ''] = this.#pods;
    const libc = systemLibc();
    const make = (): number => libc.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0);
    const [receiver, answering] = [1, 2].map(() => withNetns(`/run/netns/${server}`, make));
    const [sender, asking] = [1, 2].map(() => withNetns(`/run/netns/${client}`, make));
    for (const socket of [sender, receiver, asking, answering]) {
      this.#sockets.push(socket ?? -1);
      libc.setsockopt(socket ?? -1, SOL_SOCKET, SO_REUSEADDR, 1);
      // struct timeval: a second
      const second = new Uint8Array(BigInt64Array.of(1n, 0n).buffer);
      libc.setsockoptBytes(socket ?? -1, SOL_SOCKET, SO_RCVTIMEO, second);
    }
    // Nobody reads what the receiver gets: what it cannot hold is dropped at its door.
    bindTo(receiver, PORT);
    connectTo(sender, ADDRESSES[1], PORT);
    bindTo(asking, ECHO_PORT);
    connectTo(asking, ADDRESSES[1], PORT);
    bindTo(answering, PORT);
    connectTo(answering, ADDRESSES[0], ECHO_PORT);
    this.#send(PACKETS);
    this.#echo();
  }

  #sysctl(setting: string): Promise<string> {
    return execOk(['ip', 'netns', 'exec', this.name, 'sysctl', '-qw', setting]);
  }

  nft(text: string): Promise<string> {
    return execOk(['ip', 'netns', 'exec', this.name, 'nft', '-f', '-'], { input: text });
  }

  /** All hops between the two pods are made while the sender sends. */
  turn(): void {
    const start = performance.now();
    this.#send(PACKETS);
    this.costs.push(((performance.now() - start) * 1e6) / PACKETS);
    const begun = performance.now();
    for (let count = 0; count < ROUND_TRIPS; count++) this.#echo();
    this.roundTrips.push(((performance.now() - begun) * 1e6) / ROUND_TRIPS);
  }

  #echo(): void {
    const [, , asking = -1, answering = -1] = this.#sockets;
    const libc = systemLibc();
    for (const [from, to] of [
      [asking, answering],
      [answering, asking],
    ] as const) {
      if (libc.send(from, PAYLOAD, 0) < 0 || libc.recv(to, this.#echoed, 0) < 0) {
        throw new Error(`No answer comes back in ${this.name}: errno ${libc.errno()}`);
      }
    }
  }

  #send(count: number): void {
    const [sender = -1] = this.#sockets;
    const libc = systemLibc();
    for (let sent = 0; sent < count; sent++) {
      if (libc.send(sender, PAYLOAD, 0) < 0) {
        throw new Error(`Cannot send packet ${sent} in ${this.name}: errno ${libc.errno()}`);
      }
    }
  }

  /** How many packets have not arrived at the second pod. */
  async missing(): Promise<number> {
    const packets = (this.costs.length + 1) * PACKETS + this.roundTrips.length * ROUND_TRIPS + 1;
    const [, server = ''] = this.#pods;
    const path = '/proc/net/dev';
    const text = await execOk(['ip', 'netns', 'exec', server, 'cat', path]);
    return packets - Number(/eth0:\s*\d+\s+(\d+)/u.exec(text)?.[1] ?? 0);
  }

  async remove(): Promise<void> {
    for (const socket of this.#sockets) systemLibc().close(socket);
    for (const name of [...this.#pods, this.name]) await exec(['ip', 'netns', 'del', name]);
  }
}

/** A tenth of the turns was cheaper: what is dearer had to share the machine. */
export function typical(costs: readonly number[]): number {
  const sorted = costs.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.floor(sorted.length / 10)] ?? 0);
}

function batch(netns: string, commands: readonly string[]): Promise<string> {
  return execOk(['ip', '-n', netns, '-batch', '-'], { input: commands.join('\n') });
}

function bindTo(socket: number | undefined, port: number): void {
  const libc = systemLibc();
  if (libc.bind(socket ?? -1, socketAddress('0.0.0.0', port)) < 0)
    throw new Error(`bind: errno ${libc.errno()}`);
}

function connectTo(socket: number | undefined, address: string, port: number): void {
  const libc = systemLibc();
  if (libc.connect(socket ?? -1, socketAddress(address, port)) < 0) {
    throw new Error(`connect: errno ${libc.errno()}`);
  }
}

/** struct sockaddr_in */
function socketAddress(address: string, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set([AF_INET, 0, port >> 8, port & 255, ...address.split('.').map(Number)]);
  return bytes;
}
