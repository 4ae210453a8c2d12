// Nodes with a speaker each, on one simulated network, fed with the same resources.
import { FakeClock } from '@calico/clock';
import { type Address, parseAddress } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import { resourcesOf, servicesIn } from '../core/cluster/resources.ts';
import { BgpNode, type Listen } from '../core/node/bgp_node.ts';
import type { Speaker, SpeakerOptions } from '../core/speaker/speaker.ts';
import type {
  CollectorPort,
  HealthReport,
  LinkPort,
  PeerStatus,
  RecordingPort,
  Reporter,
} from '../ports.ts';
import { FakeKernel } from './fake_kernel.ts';
import { type Random, SimulatedNetwork, seededRandom } from './simulated_network.ts';

/** Remembers what was reported last. */
export class FakeReporter implements Reporter {
  lastPeers: readonly PeerStatus[] = [];
  lastApplied: { readonly revision: bigint; readonly inSync: boolean } | undefined;
  lastHealth: HealthReport | undefined;

  peers(peers: readonly PeerStatus[]): void {
    this.lastPeers = peers;
  }

  applied(revision: bigint, inSync: boolean): void {
    this.lastApplied = { revision, inSync };
  }

  health(report: HealthReport): void {
    this.lastHealth = report;
  }
}

export class SimulatedNode {
  readonly name: string;
  readonly address: Address;
  readonly kernel: FakeKernel;
  readonly reporter = new FakeReporter();
  readonly bgp: BgpNode;
  readonly log: string[] = [];
  /** For whom it listens. */
  listen: Listen | undefined;

  constructor(cluster: SimulatedCluster, name: string, kernel: FakeKernel, random: Random) {
    this.name = name;
    this.address = cluster.addressOf(name);
    this.kernel = kernel;
    const write = (message: string, fields?: object): void => {
      this.log.push(`${message} ${JSON.stringify(fields)}`);
    };
    const record = cluster.recordOf(name);
    const collector = cluster.collectorOf(name);
    const recording = cluster.recordingOf(name);
    const links = cluster.linksOf(name);
    this.bgp = new BgpNode({
      ...(record === undefined ? {} : { record }),
      ...(collector === undefined ? {} : { collector }),
      ...(recording === undefined ? {} : { recording }),
      ...(links === undefined ? {} : { links }),
      node: name,
      routerId: cluster.routerIdOf(name),
      clock: cluster.clock,
      random,
      transport: cluster.network.transportOf(this.address),
      kernel,
      reporter: this.reporter,
      log: { info: write, warn: write },
      onListen: (listen) => {
        this.listen = listen;
      },
    });
  }

  get speaker(): Speaker {
    return this.bgp.speaker;
  }

  configure({ resources, revision }: SimulatedCluster): void {
    this.bgp.services.take({ isAll: true, changes: servicesIn(resources) });
    this.bgp.setResources(resourcesOf(resources), { inSync: true, revision });
  }

  states(): Record<string, string> {
    const states = this.bgp
      .peers()
      .map((peer): [string, string] => [`${peer.address.value & 0xffn}`, peer.state]);
    return Object.fromEntries(states);
  }
}

export class SimulatedCluster {
  readonly clock: FakeClock;
  readonly network: SimulatedNetwork;
  readonly nodes = new Map<string, SimulatedNode>();
  readonly #random: Random;
  resources: readonly AnyResource[] = [];
  revision = 1n;
  /** As BgpNodeOptions.routerId; set before start(). */
  routerIdOf: (name: string) => string = () => '';
  /** Who is told the inputs of a node's speaker; set before start(). */
  recordOf: (name: string) => SpeakerOptions['record'] = () => undefined;
  /** Who takes what a node tells by BMP; set before start(). */
  collectorOf: (name: string) => CollectorPort | undefined = () => undefined;
  /** Who keeps what peers of a node say; set before start(). */
  recordingOf: (name: string) => RecordingPort | undefined = () => undefined;
  /** Who finds the far ends of a node's links; set before start(). */
  linksOf: (name: string) => LinkPort | undefined = () => undefined;

  constructor(seed: number, pieceBytes?: number, clock = new FakeClock(1_700_000_000_000)) {
    this.clock = clock;
    this.#random = seededRandom(seed);
    this.network = new SimulatedNetwork(this.clock, this.#random, pieceBytes);
  }

  addressOf(name: string): Address {
    const found = this.resources.find(
      (each) => each.kind === 'Node' && each.metadata.name === name,
    );
    const text = found?.kind === 'Node' ? found.spec.bgp?.ipv4Address : undefined;
    return parseAddress((text ?? '').split('/')[0] ?? '');
  }

  /** Starts the node's process, on the kernel that an earlier one left if it ran before. */
  start(name: string): SimulatedNode {
    const kernel = this.nodes.get(name)?.kernel ?? new FakeKernel();
    const node = new SimulatedNode(this, name, kernel, this.#random);
    this.nodes.set(name, node);
    this.network.listen(node.address, (from, connection) => node.bgp.accept(from, connection));
    node.configure(this);
    return node;
  }

  /** As `kill -9`. */
  kill(name: string): void {
    const node = this.node(name);
    this.network.kill(node.address);
    node.bgp.stop();
  }

  node(name: string): SimulatedNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  /** Gives every running node the resources as they are now. */
  apply(resources: readonly AnyResource[]): void {
    this.resources = resources;
    this.revision += 1n;
    for (const node of this.nodes.values()) node.configure(this);
  }

  advance(ms: number): void {
    this.clock.advance(ms);
  }

  isConverged(): boolean {
    return [...this.nodes.values()].every((node) =>
      Object.values(node.states()).every((state) => state === 'Established'),
    );
  }
}
