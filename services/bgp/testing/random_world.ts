// Some nodes to which anything happens: sessions, blocks, policies, next hops and processes come and go.
import { formatAddress, parseAddress, parsePrefix, sameAddress } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import type { Peer } from '../core/speaker/peer.ts';
import { routeText, type Table } from './reference_speaker.ts';
import { affinity, bgpConfiguration, bgpFilter, bgpPeer, node, pool } from './resources.ts';
import { WorkingClock } from './scripted_peer.ts';
import { SimulatedCluster, type SimulatedNode } from './simulated_cluster.ts';
import { type Random, seededRandom } from './simulated_network.ts';

const BLOCKS = 6;
const FILTERS = ['f', 'g'];
/** Work for so many prefixes at a time, so that everything happens in the middle of something else. */
const SLICE = 2;
/** An OPEN that was lost in silence is waited for longest: 240 s. */
const SETTLED_MS = 300_000;
/** Longer than a turn of the event loop. */
const FLUSH_MS = 9;

type Session = {
  isThere: boolean;
  /** What each end's BGPPeer says. */
  readonly options: [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>];
};

export class RandomWorld {
  readonly cluster: SimulatedCluster;
  readonly names: readonly string[];
  readonly running = new Set<string>();
  readonly log: string[] = [];
  readonly #random: Random;
  readonly #clock: WorkingClock;
  readonly #asns: number[];
  readonly #clusterIds: (string | undefined)[];
  readonly #sessions = new Map<string, Session>();
  readonly #blocks = new Set<string>();
  readonly #filters = new Map<string, Readonly<Record<string, unknown>>>();
  #isExported = true;
  #hasAggregate = false;

  constructor(seed: number) {
    // Neighbouring seeds of xorshift begin alike.
    this.#random = seededRandom(Math.imul(seed, 0x9e37_79b1));
    this.#clock = new WorkingClock(1_700_000_000_000);
    this.cluster = new SimulatedCluster(seed, 200, this.#clock);
    const count = 3 + this.#pick(4);
    this.names = Array.from({ length: count }, (_, index) => `n${index}`);
    this.#asns = this.names.map(() => this.#of([65_001, 65_001, 65_002, 65_003]));
    this.#clusterIds = this.names.map(() =>
      this.#of([undefined, undefined, '244.0.0.1', '244.0.0.2']),
    );
    for (const name of FILTERS) this.#filters.set(name, this.#filter());
    this.#pairs().forEach((pair) => {
      const isThere = this.#random() < 0.6;
      this.#sessions.set(pair, { isThere, options: [this.#options(), this.#options()] });
    });
    this.#apply();
    for (const name of this.names) this.#start(name);
  }

  /** One thing happens, and a little time passes. */
  step(): void {
    const steps: readonly [number, string, () => void][] = [
      [8, 'block', () => this.#toggleBlock()],
      [3, 'session', () => this.#toggleSession()],
      [4, 'options', () => this.#changeOptions()],
      [3, 'filter', () => this.#changeFilter()],
      [1, 'pool', () => this.#togglePool()],
      [1, 'cluster id', () => this.#changeClusterId()],
      [2, 'aggregate', () => this.#toggleAggregate()],
      [4, 'ways', () => this.#changeWays()],
      [2, 'process', () => this.#toggleProcess()],
      [2, 'silence', () => this.#silence()],
      [3, 'refresh', () => this.#refresh()],
      [2, 'reset', () => this.#reset()],
      [3, 'inject', () => this.#inject()],
      [4, 'pass', () => this.cluster.advance(this.#of([1_000, 4_000, 20_000]))],
    ];
    const drawn = this.#of(steps.flatMap((step) => Array.from({ length: step[0] }, () => step)));
    const [, name, run] = drawn;
    this.log.push(`${this.cluster.clock.now() - 1_700_000_000_000} ${name}`);
    run();
    this.cluster.advance(this.#of([0, 1, 3, 20, 300]));
  }

  /** Everybody is there and heard, and all time that anything may wait is over. */
  settle(): void {
    for (const name of this.names) {
      this.cluster.network.hear(this.cluster.addressOf(name));
      if (!this.running.has(name)) this.#start(name);
    }
    this.cluster.advance(SETTLED_MS);
  }

  /** Nothing is announced and nobody is a peer any more. */
  empty(): void {
    this.#blocks.clear();
    for (const session of this.#sessions.values()) session.isThere = false;
    this.#hasAggregate = false;
    this.#apply();
    for (const { bgp } of this.nodes()) void bgp.operator.takeBack('client', undefined);
    this.cluster.advance(20_000);
  }

  /** Sessions that both ends want and that are not there. */
  missingSessions(): string[] {
    return this.nodes().flatMap(({ name, speaker }) =>
      [...speaker.peers.values()]
        .filter(({ live }) => live === undefined)
        .map(({ config }) => `${name} to ${config.key}`),
    );
  }

  /** What the node at the other end has told; undefined: there is no session. */
  toldTo({ address: own }: SimulatedNode, { live, config }: Peer): Table | undefined {
    const other = this.nodes().find(({ address }) => sameAddress(address, config.address));
    const towards = other?.speaker.peers.get(formatAddress(own));
    if (live === undefined || towards?.live === undefined) return undefined;
    return Array.from(towards.advertised.entries(), ({ prefix, data }) =>
      routeText(prefix, data),
    ).toSorted();
  }

  nodes(): SimulatedNode[] {
    return this.names
      .filter((name) => this.running.has(name))
      .map((name) => this.cluster.node(name));
  }

  #pick(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #of<T>(all: readonly T[]): T {
    return all[this.#pick(all.length)] as T;
  }

  #pairs(): string[] {
    return this.names.flatMap((a, at) => this.names.slice(at + 1).map((b) => `${a} ${b}`));
  }

  /** Nothing that could keep the whole from coming to rest: no preferences from outside. */
  #options(): Readonly<Record<string, unknown>> {
    return {
      ...(this.#random() < 0.3 ? { nextHopMode: this.#of(['Self', 'Keep', 'Auto']) } : {}),
      ...(this.#random() < 0.4 ? { addPath: this.#of(['Both', 'Send', 'Disabled']) } : {}),
      ...(this.#random() < 0.4 ? { filters: [this.#of(FILTERS)] } : {}),
      ...(this.#random() < 0.1 ? { numAllowedLocalASNumbers: 1 } : {}),
      ...(this.#random() < 0.1 ? { maxRestartTime: '5s' } : {}),
      ...(this.#random() < 0.1 ? { longLivedRestartTime: '60s' } : {}),
      ...(this.#random() < 0.1 ? { gracefulNotification: true } : {}),
    };
  }

  #filter(): Readonly<Record<string, unknown>> {
    const rules = (): object[] =>
      Array.from({ length: this.#pick(3) }, () => ({
        action: this.#of(['Accept', 'Reject']),
        ...(this.#random() < 0.7
          ? { cidr: `10.244.${this.#pick(BLOCKS)}.0/24`, matchOperator: this.#of(['In', 'NotIn']) }
          : {}),
        ...(this.#random() < 0.2 ? { communities: { values: ['1:1'] } } : {}),
      })).map((rule) =>
        rule.action === 'Accept' && this.#random() < 0.6
          ? { ...rule, operations: [this.#operation()] }
          : rule,
      );
    return { exportV4: rules(), importV4: rules() };
  }

  #operation(): object {
    return this.#of([
      { addCommunity: { value: '1:1' } },
      { addCommunity: { value: '65535:65281' } },
      { prependASPath: { prefix: [65_009] } },
    ]);
  }

  #resources(): AnyResource[] {
    const named = (name: string, index: number): AnyResource => {
      const routeReflectorClusterID = this.#clusterIds[index];
      const bgp = {
        asNumber: this.#asns[index],
        ...(routeReflectorClusterID === undefined ? {} : { routeReflectorClusterID }),
      };
      // The last one is on another network.
      const network = index === 3 ? 81 : 80;
      return node(name, `192.168.${network}.${10 + index}/24`, bgp, { name });
    };
    return [
      bgpConfiguration({
        nodeToNodeMeshEnabled: false,
        ...(this.#hasAggregate ? { aggregates: [{ cidr: '10.244.0.0/22' }] } : {}),
      }),
      pool('10.244.0.0/16', { disableBGPExport: !this.#isExported }),
      ...this.names.map(named),
      ...Array.from(this.#filters, ([name, spec]) => bgpFilter(name, spec)),
      ...Array.from(this.#blocks, (text) => {
        const [owner = '', cidr = ''] = text.split(' ');
        return affinity(owner, cidr);
      }),
      ...Array.from(this.#sessions, ([pair, session]) => this.#peersOf(pair, session)).flat(),
    ];
  }

  #peersOf(pair: string, { isThere, options }: Session): AnyResource[] {
    if (!isThere) return [];
    const [a = '', b = ''] = pair.split(' ');
    return [peerOf(a, b, options[0]), peerOf(b, a, options[1])];
  }

  #apply(): void {
    const resources = this.#resources();
    this.cluster.resources = resources;
    this.cluster.revision += 1n;
    for (const each of this.nodes()) each.configure(this.cluster);
  }

  #start(name: string): void {
    const started = this.cluster.start(name);
    const { speaker } = started;
    const flush = speaker.flush.bind(speaker);
    speaker.flush = () => {
      this.#clock.workedMs += FLUSH_MS;
      return flush(SLICE);
    };
    this.running.add(name);
  }

  #toggleBlock(): void {
    const text = `${this.#of(this.names)} 10.244.${this.#pick(BLOCKS)}.${this.#of([0, 64])}/26`;
    if (!this.#blocks.delete(text)) this.#blocks.add(text);
    this.#apply();
  }

  #toggleSession(): void {
    const session = this.#sessions.get(this.#of(this.#pairs()));
    if (session !== undefined) session.isThere = !session.isThere;
    this.#apply();
  }

  #changeOptions(): void {
    const session = this.#sessions.get(this.#of(this.#pairs()));
    if (session !== undefined) session.options[this.#of([0, 1] as const)] = this.#options();
    this.#apply();
  }

  #changeFilter(): void {
    this.#filters.set(this.#of(FILTERS), this.#filter());
    this.#apply();
  }

  #togglePool(): void {
    this.#isExported = !this.#isExported;
    this.#apply();
  }

  #toggleAggregate(): void {
    this.#hasAggregate = !this.#hasAggregate;
    this.#apply();
  }

  #changeClusterId(): void {
    this.#clusterIds[this.#pick(this.names.length)] = this.#of([
      undefined,
      '244.0.0.1',
      '244.0.0.2',
    ]);
    this.#apply();
  }

  /** A peer itself is never out of reach: that would be the end of the session. */
  #changeWays(): void {
    const { kernel, bgp, speaker } = this.cluster.node(this.#of(this.names));
    const to = this.cluster.addressOf(this.#of(this.names));
    const text = `192.168.${(to.value >> 8n) & 0xffn}.${to.value & 0xffn}`;
    const gateway = parseAddress(this.#of(['192.168.80.201', '192.168.80.202']));
    const far = { gateway, interfaceIndex: 2, metric: this.#pick(3) };
    const way = speaker.peers.has(text) ? far : this.#of([undefined, far]);
    if (!kernel.ways.delete(text)) kernel.ways.set(text, way);
    bgp.kernelChanged({ kind: 'ways' });
  }

  #toggleProcess(): void {
    const name = this.#of(this.names);
    if (!this.running.delete(name)) return this.#start(name);
    this.cluster.kill(name);
  }

  /** Longer than the hold time, or not. */
  #silence(): void {
    const address = this.cluster.addressOf(this.#of(this.names));
    this.cluster.network.silence(address);
    this.cluster.advance(this.#of([2_000, 100_000]));
    this.cluster.network.hear(address);
  }

  #peer(): { readonly bgp: SimulatedNode['bgp']; readonly key: string } | undefined {
    const { bgp } = this.cluster.node(this.#of(this.names));
    const keys = [...bgp.speaker.peers.keys()];
    return keys.length === 0 ? undefined : { bgp, key: this.#of(keys) };
  }

  #refresh(): void {
    const peer = this.#peer();
    peer?.bgp.operator.refresh(peer.key, this.#of(['in', 'out']));
  }

  #reset(): void {
    const peer = this.#peer();
    peer?.bgp.operator.reset(peer.key, 'why not');
  }

  #inject(): void {
    const { bgp } = this.cluster.node(this.#of(this.names));
    const prefix = parsePrefix(`10.244.${this.#pick(BLOCKS)}.${this.#of([0, 128])}/26`);
    if (this.#random() < 0.4) return void bgp.operator.takeBack('client', [prefix]);
    const attributes = {
      origin: this.#of([0, 2] as const),
      asPath: this.#of([[], [{ kind: 'sequence', asns: [65_020] } as const]]),
      ...(this.#random() < 0.5 ? { multiExitDiscriminator: this.#pick(3) } : {}),
    };
    void bgp.operator.inject('client', [
      { prefix, data: { attributes, nextHop: { family: 4, value: 0n } } },
    ]);
  }
}

function peerOf(from: string, to: string, more: object): AnyResource {
  const peerSelector = `name == '${to}'`;
  return bgpPeer(`${from}-${to}`, { node: from, peerSelector, reversePeering: 'Manual', ...more });
}
