// Nodes with a speaker each, on one simulated network, fed with the same resources.
import { FakeClock } from '@calico/clock';
import { type Address, parseAddress } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import { deriveSpeaker } from '../core/cluster/derive_speaker.ts';
import { Host } from '../core/host/host.ts';
import { KernelSync, REMOVE_ANYTHING } from '../core/kernel/kernel_sync.ts';
import { blockTexts } from '../core/kernel/route_plan.ts';
import { stateName } from '../core/session/session.ts';
import type { Note } from '../core/speaker/events.ts';
import { Speaker } from '../core/speaker/speaker.ts';
import { FakeKernel } from './fake_kernel.ts';
import { clusterOf } from './resources.ts';
import { type Random, SimulatedNetwork, seededRandom } from './simulated_network.ts';

export class SimulatedNode {
  readonly name: string;
  readonly address: Address;
  readonly kernel: FakeKernel;
  readonly speaker: Speaker;
  readonly host: Host;
  readonly sync: KernelSync;
  readonly notes: Note[] = [];

  constructor(cluster: SimulatedCluster, name: string, kernel: FakeKernel, random: Random) {
    this.name = name;
    this.address = cluster.addressOf(name);
    this.kernel = kernel;
    const isRestarted = kernel.routes.size > 0;
    this.speaker = new Speaker({ isRestarted });
    this.sync = new KernelSync(kernel, this.speaker.rib);
    this.sync.readInitial();
    this.host = new Host({
      speaker: this.speaker,
      transport: cluster.network.transportOf(this.address),
      clock: cluster.clock,
      random,
      onRoutes: (prefixes) => this.sync.update(prefixes),
      onNote: (note) => {
        this.notes.push(note);
        if (note.kind === 'end-of-rib') this.#checkRecovered(cluster);
      },
    });
  }

  configure(cluster: SimulatedCluster): void {
    const { derived } = deriveSpeaker(this.name, '', clusterOf(cluster.resources));
    if (derived === undefined) throw new Error(`node ${this.name} has no speaker`);
    const { speaker, pools, subnet } = derived;
    const ownBlocks = blockTexts(
      speaker.ownRoutes.filter(({ kind }) => kind === 'block').map(({ prefix }) => prefix),
    );
    this.host.configure(speaker);
    this.sync.configure({ pools, subnet, ownBlocks });
    this.host.completeExports();
    this.#checkRecovered(cluster);
  }

  #checkRecovered({ clock }: SimulatedCluster): void {
    if (this.speaker.checkRecovered(clock.now(), false)) this.sync.allowRemoval(REMOVE_ANYTHING);
  }

  states(): Record<string, string> {
    return Object.fromEntries(
      [...this.speaker.peers].map(([key, peer]) => [key, stateName(peer.session)]),
    );
  }
}

export class SimulatedCluster {
  readonly clock = new FakeClock(1_700_000_000_000);
  readonly network: SimulatedNetwork;
  readonly nodes = new Map<string, SimulatedNode>();
  readonly #random: Random;
  resources: readonly AnyResource[] = [];

  constructor(seed: number, pieceBytes?: number) {
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
    this.network.listen(node.address, (from, connection) => node.host.accept(from, connection));
    node.configure(this);
    return node;
  }

  /** As `kill -9`. */
  kill(name: string): void {
    const node = this.node(name);
    this.network.kill(node.address);
    node.host.stop();
  }

  node(name: string): SimulatedNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  /** Gives every running node the resources as they are now. */
  apply(resources: readonly AnyResource[]): void {
    this.resources = resources;
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
