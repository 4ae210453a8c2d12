// One node with pods and a host outside, in network namespaces of its own:
//
//   outside 192.0.2.9 ── eth0 ── node 192.0.2.1 ── cali… ── pods 10.65.0.n, fd00:65::n
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import {
  type FelixConfiguration,
  type GlobalNetworkPolicy,
  type IPPool,
  type NetworkPolicy,
  type Node,
  parseResource,
  type Tier,
  type WorkloadEndpoint,
} from '@calico/model';
import { openPacketFilter } from '../../services/felix/adapters/packet_filter.ts';
import { NO_INPUTS } from '../../services/felix/core/policy/sample_inputs.ts';
import type { Log, PacketFilter, PolicyInputs } from '../../services/felix/ports.ts';
import { exec, execOk } from '../lab/exec.ts';
import { eventually } from '../lab/wait.ts';
import type { ProbeAnswer, ProbeRequest } from './probe_agent.ts';

const AGENT = fileURLToPath(new URL('./probe_agent.ts', import.meta.url));
const TIMEOUT_MS = 300;
/** Three pings that are lost take no longer on a machine with a free processor. */
const PING_MS = 800;
const MOST_PINGS = 5;

export type PodPlan = {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  readonly ports?: readonly { name: string; protocol: string; port: number }[];
  readonly profiles?: readonly string[];
  readonly serviceAccount?: string;
};

/** A network namespace with an agent in it. */
export class Place {
  readonly namespace: string;
  readonly address: string;
  readonly address6: string;
  readonly #agent: ChildProcess;
  readonly #waiting = new Map<number, (result: string) => void>();
  #requests = 0;

  constructor(namespace: string, address: string, address6: string) {
    this.namespace = namespace;
    this.address = address;
    this.address6 = address6;
    this.#agent = spawn('ip', ['netns', 'exec', namespace, process.execPath, AGENT], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let rest = '';
    this.#agent.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const { id, result } = JSON.parse(line) as ProbeAnswer;
        this.#waiting.get(id)?.(result);
        this.#waiting.delete(id);
      }
    });
  }

  ask(request: ProbeRequest): Promise<string> {
    const id = this.#requests++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#agent.stdin?.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }

  listen(protocol: 'tcp' | 'udp', port: number): Promise<string> {
    return this.ask({ op: 'listen', protocol, port });
  }

  /** "ok" and the client's address as the server saw it, or "timeout". */
  tcp(to: Place | string, port: number, source?: string): Promise<string> {
    return this.#connect('tcp', to, port, source);
  }

  udp(to: Place | string, port: number, source?: string): Promise<string> {
    return this.#connect('udp', to, port, source);
  }

  async ping(to: Place | string): Promise<boolean> {
    const address = typeof to === 'string' ? to : to.address;
    const words = ['ping', '-n', '-c3', '-i0.1', '-W0.3', address];
    for (let again = 0; ; again++) {
      const began = performance.now();
      const { code } = await exec(['ip', 'netns', 'exec', this.namespace, ...words]);
      // One that had to wait for a processor may have ended before it read its answer.
      const hadToWait = performance.now() - began > PING_MS;
      if (code === 0 || !hadToWait || again === MOST_PINGS) return code === 0;
    }
  }

  stop(): void {
    this.#agent.stdin?.end();
    this.#agent.kill('SIGKILL');
  }

  #connect(op: 'tcp' | 'udp', to: Place | string, port: number, source?: string): Promise<string> {
    const address = typeof to === 'string' ? to : to.address;
    return this.ask({ op, address, port, timeoutMs: TIMEOUT_MS, ...(source ? { source } : {}) });
  }
}

export const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

export class TestNode {
  readonly #prefix = `pol${randomBytes(2).toString('hex')}`;
  readonly #namespaces: string[] = [];
  readonly #places: Place[] = [];
  readonly pods = new Map<string, Place>();
  readonly endpoints = new Map<string, WorkloadEndpoint>();
  #host: Place | undefined;
  #outside: Place | undefined;

  get host(): Place {
    if (this.#host === undefined) throw new TypeError('Cannot use a node before it is up');
    return this.#host;
  }

  get outside(): Place {
    if (this.#outside === undefined) throw new TypeError('Cannot use a node before it is up');
    return this.#outside;
  }

  get netns(): string {
    return `/run/netns/${this.host.namespace}`;
  }

  pod(name: string): Place {
    const found = this.pods.get(name);
    if (found === undefined) throw new RangeError(`Cannot find pod "${name}"`);
    return found;
  }

  async up(plans: readonly PodPlan[]): Promise<void> {
    const [node, outside] = [await this.#namespace('node'), await this.#namespace('outside')];
    await batch(node, [
      `link add eth0 type veth peer name eth0 netns ${outside}`,
      'addr add 192.0.2.1/24 dev eth0',
      'addr add 2001:db8::1/64 dev eth0 nodad',
      'link set eth0 up',
    ]);
    await sysctl(node, [
      'net.ipv4.ip_forward=1',
      'net.ipv6.conf.all.forwarding=1',
      'net.ipv4.conf.all.rp_filter=0',
      'net.ipv4.conf.default.rp_filter=0',
    ]);
    await batch(outside, [
      'addr add 192.0.2.9/24 dev eth0',
      'addr add 192.0.2.10/24 dev eth0',
      'addr add 2001:db8::9/64 dev eth0 nodad',
      'link set eth0 up',
      'route add 10.65.0.0/24 via 192.0.2.1',
      'route add fd00:65::/64 via 2001:db8::1',
    ]);
    this.#host = this.#place(node, '192.0.2.1', '2001:db8::1');
    this.#outside = this.#place(outside, '192.0.2.9', '2001:db8::9');
    for (const [index, plan] of plans.entries()) await this.#addPod(plan, index + 1);
    // A pair of interfaces carries packets a moment after both are up.
    for (const place of [this.outside, ...this.pods.values()]) {
      await eventually(
        async () => (await this.host.ping(place)) && (await this.host.ping(place.address6)),
        20_000,
        () => `${place.namespace} does not answer`,
      );
    }
  }

  async down(): Promise<void> {
    for (const place of this.#places) place.stop();
    for (const name of this.#namespaces) await exec(['ip', 'netns', 'del', name]);
  }

  nft(...words: readonly string[]): Promise<string> {
    return this.exec('nft', ...words);
  }

  /** Runs a program in the node's namespace; answers what it prints. */
  exec(...words: readonly string[]): Promise<string> {
    return execOk(['ip', 'netns', 'exec', this.host.namespace, ...words]);
  }

  openFilter(log: Log = SILENT): PacketFilter {
    return openPacketFilter({ logger: log, netns: this.netns });
  }

  inputs(parts: Partial<PolicyInputs> = {}): PolicyInputs {
    const endpoints = [...this.endpoints.values()];
    return { ...NO_INPUTS, localEndpoints: endpoints, workloadEndpoints: endpoints, ...parts };
  }

  async #addPod(plan: PodPlan, index: number): Promise<void> {
    const namespace = await this.#namespace(plan.name);
    const [device, address, address6] = [
      `cali${plan.name}`,
      `10.65.0.${index}`,
      `fd00:65::${index}`,
    ];
    await batch(this.host.namespace, [
      `link add ${device} address ee:ee:ee:ee:ee:ee type veth peer name eth0 netns ${namespace}`,
      `addr add fe80::1/64 dev ${device} nodad`,
      `link set ${device} up`,
      `route add ${address}/32 dev ${device} scope link`,
      `route add ${address6}/128 dev ${device}`,
    ]);
    await sysctl(this.host.namespace, [
      `net.ipv4.conf.${device}.proxy_arp=1`,
      `net.ipv4.neigh.${device}.proxy_delay=0`,
    ]);
    await batch(namespace, [
      'link set lo up',
      `addr add ${address}/32 dev eth0`,
      `addr add ${address6}/128 dev eth0 nodad`,
      'link set eth0 up',
      'route add 169.254.1.1 dev eth0 scope link',
      // The node has no default route, and so would not answer for this address.
      'neigh add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0',
      'route add default via 169.254.1.1 dev eth0',
      'route add default via fe80::1 dev eth0',
    ]);
    this.pods.set(plan.name, this.#place(namespace, address, address6));
    this.endpoints.set(plan.name, endpointOf(plan, device, [`${address}/32`, `${address6}/128`]));
  }

  #place(namespace: string, address: string, address6: string): Place {
    const place = new Place(namespace, address, address6);
    this.#places.push(place);
    return place;
  }

  async #namespace(name: string): Promise<string> {
    const namespace = `${this.#prefix}-${name}`;
    await execOk(['ip', 'netns', 'add', namespace]);
    this.#namespaces.push(namespace);
    return namespace;
  }
}

async function batch(namespace: string, lines: readonly string[]): Promise<void> {
  await execOk(['ip', '-n', namespace, '-batch', '-'], { input: lines.join('\n') });
}

async function sysctl(namespace: string, settings: readonly string[]): Promise<void> {
  await execOk(['ip', 'netns', 'exec', namespace, 'sysctl', '-q', '-w', ...settings]);
}

function resource(kind: string, metadata: object, spec: object): unknown {
  return parseResource({ apiVersion: 'projectcalico.org/v3', kind, metadata, spec });
}

function endpointOf(
  plan: PodPlan,
  interfaceName: string,
  ipNetworks: readonly string[],
): WorkloadEndpoint {
  const { name, namespace = 'default', labels = {}, ports, profiles = [`kns.${namespace}`] } = plan;
  const account = plan.serviceAccount ? { serviceAccountName: plan.serviceAccount } : {};
  const metadata = { name: `node-k8s-${name}-eth0`, namespace, labels };
  const spec = { orchestrator: 'k8s', node: 'node', pod: name, endpoint: 'eth0' };
  const more = { ipNetworks, interfaceName, profiles, ...account, ...(ports ? { ports } : {}) };
  return resource('WorkloadEndpoint', metadata, { ...spec, ...more }) as WorkloadEndpoint;
}

export function networkPolicy(name: string, spec: object, namespace = 'default'): NetworkPolicy {
  return resource('NetworkPolicy', { name, namespace }, spec) as NetworkPolicy;
}

export function globalPolicy(name: string, spec: object): GlobalNetworkPolicy {
  return resource('GlobalNetworkPolicy', { name }, spec) as GlobalNetworkPolicy;
}

export function tier(name: string, spec: object): Tier {
  return resource('Tier', { name }, spec) as Tier;
}

export function ipPool(name: string, spec: object): IPPool {
  return resource('IPPool', { name }, spec) as IPPool;
}

export function nodeResource(name: string, ipv4Address: string): Node {
  return resource('Node', { name }, { bgp: { ipv4Address } }) as Node;
}

export function felixConfiguration(spec: object): FelixConfiguration {
  return resource('FelixConfiguration', { name: 'default' }, spec) as FelixConfiguration;
}
