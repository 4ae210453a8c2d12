// What a packet of a new flow costs between two pods of one node, measured in turns over many nodes, each of which has its
// own packet filter. Needs root; works in network namespaces of its own.
import { randomBytes } from 'node:crypto';
import { systemLibc, withNetns } from '@calico/netlink';
import { exec, execOk } from '../lab/exec.ts';

const [AF_INET, SOCK_DGRAM_CLOEXEC] = [2, 0x80002];
const PORT = 9000;
/** Of a turn: short enough to have the CPU for itself now and then. */
export const PACKETS = 100;
const PAYLOAD = new Uint8Array(64);

/** Of the pods of every node: the first sends to the second. */
export const DEVICES = ['calia000000', 'calib000000'] as const;
export const ADDRESSES = ['10.65.0.1', '10.65.0.2'] as const;
export const DESTINATION_PORT = PORT;

export class CostedNode {
  readonly name = `bpp${randomBytes(3).toString('hex')}`;
  readonly #pods = ['c', 's'].map((end) => `${this.name}-${end}`);
  readonly #sockets: number[] = [];
  /** Nanoseconds per packet, of each turn. */
  readonly costs: number[] = [];

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
    const receiver = withNetns(`/run/netns/${server}`, make);
    const sender = withNetns(`/run/netns/${client}`, make);
    this.#sockets.push(sender, receiver);
    // Nobody reads what it receives: what it cannot hold is dropped at its door.
    if (libc.bind(receiver, socketAddress('0.0.0.0')) < 0) throw new Error('Cannot bind');
    if (libc.connect(sender, socketAddress(ADDRESSES[1])) < 0) throw new Error('Cannot connect');
    this.#send(PACKETS);
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

  /** How many packets the second pod has got. */
  async received(): Promise<number> {
    const [, server = ''] = this.#pods;
    const path = '/proc/net/dev';
    const text = await execOk(['ip', 'netns', 'exec', server, 'cat', path]);
    return Number(/eth0:\s*\d+\s+(\d+)/u.exec(text)?.[1] ?? 0);
  }

  async remove(): Promise<void> {
    for (const socket of this.#sockets) systemLibc().close(socket);
    for (const name of [...this.#pods, this.name]) await exec(['ip', 'netns', 'del', name]);
  }
}

/** A tenth of the turns was cheaper: what is dearer had to share the machine. */
export function typicalCost({ costs }: CostedNode): number {
  const sorted = costs.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.floor(sorted.length / 10)] ?? 0);
}

function batch(netns: string, commands: readonly string[]): Promise<string> {
  return execOk(['ip', '-n', netns, '-batch', '-'], { input: commands.join('\n') });
}

/** struct sockaddr_in */
function socketAddress(address: string): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set([AF_INET, 0, PORT >> 8, PORT & 255, ...address.split('.').map(Number)]);
  return bytes;
}
