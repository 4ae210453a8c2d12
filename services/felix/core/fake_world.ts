// A node and its cluster in memory, for tests: the ports of felix over plain maps. What is in the maps
// outlives an "assembly", as the kernel, the disk and the other services outlive the process.
//
//   the node   fake_kernel, fake_pods, fake_connections
//   ipam       fake_addresses, fake_leases
//   api        fake_store
import { FakeClock } from '@calico/clock';
import {
  type AnyResource,
  type IPPool,
  type Kind,
  keyOf,
  keyText,
  type WorkloadEndpoint,
} from '@calico/model';
import type { EndpointId, Log, PacketFilter, PolicyInputs, StateReport } from '../ports.ts';
import { type Assembly, assemble } from './assemble.ts';
import type {
  FoundDataplane,
  FoundTunnel,
  OwnedAddress,
  OwnedFdbEntry,
  OwnedNeighbour,
  OwnedRoute,
  PodDeviceSettings,
} from './dataplane.ts';
import { fakeAddresses } from './fake_addresses.ts';
import { fakeConnections } from './fake_connections.ts';
import { fakeKernel } from './fake_kernel.ts';
import { FakeLeases } from './fake_leases.ts';
import { fakePods } from './fake_pods.ts';
import { fakeStore } from './fake_store.ts';
import type { PodInterface } from './pod_interface.ts';
import type { TrackedConnection } from './policy/connections/connection.ts';
import type { Feature } from './pools.ts';
import type { Step } from './steps.ts';
import type { TunnelKind } from './tunnel_addresses.ts';
import { type AssignedAddress, type WorkloadRecord, workloadKeyText } from './workload.ts';
import { WorkloadError } from './workload_error.ts';

type Device = { pod: PodInterface; settings: PodDeviceSettings; isPodConfigured: boolean };

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Stands for SIGKILL: nothing that the process does afterwards has an effect. */
export class Killed extends Error {}

export class FakeWorld {
  readonly clock = new FakeClock(1_700_000_000_000);
  readonly journal = new Map<string, string>();
  readonly netns = new Set<string>(['/ns/a', '/ns/b']);
  readonly devices = new Map<string, Device>();
  readonly routes = new Map<string, OwnedRoute>();
  readonly neighbours = new Map<string, OwnedNeighbour>();
  readonly fdb = new Map<string, OwnedFdbEntry>();
  readonly podAddresses = new Map<string, OwnedAddress>();
  readonly tunnels = new Map<string, FoundTunnel>();
  /** By handle. */
  readonly assigned = new Map<string, AssignedAddress[]>();
  /** The last number of what is assigned next. */
  nextAddress = 1;
  readonly resources = new Map<string, AnyResource>();
  readonly leases = new FakeLeases();
  readonly missing = new Map<Feature, string>();
  readonly reports: StateReport[] = [];
  /** Addresses whose connections were forgotten. */
  readonly forgotten: string[] = [];
  policy: PolicyInputs | undefined;
  policyCommits = 0;
  policyFailure: string | undefined;
  /** Connections whose looking through takes 10 ms for each 250. */
  connections: TrackedConnection[] = [];
  connectionsFailure: string | undefined;
  isIpamUp = true;
  /** A handle whose release always times out. */
  stuckHandle: string | undefined;
  /** A tunnel for which no pool has an address. */
  exhaustedTunnel: TunnelKind | undefined;
  isApiUp = true;
  /** Of pools that the view does not hold. */
  poolAnswer: Promise<IPPool | undefined> = Promise.resolve(undefined);
  /** Endpoints whose writing got no answer, and that are written when they are put; undefined: all get one. */
  unanswered: WorkloadEndpoint[] | undefined;
  isInSync = true;
  revision = 1n;
  /** Passes that have looked at routes and devices. */
  dataplaneLooks = 0;
  /** How often the addresses of pods' devices were asked for. */
  addressDumps = 0;
  /** Written to the kernel, in words. */
  readonly kernelLog: string[] = [];
  #lives = 0;

  /** Starts a felix; the one before counts as killed. */
  start(crashAt?: Step, onStep?: (step: Step) => void): Assembly {
    const life = ++this.#lives;
    let isDead = false;
    const alive = (): void => {
      if (isDead || life !== this.#lives) throw new Killed('the process is dead');
    };
    let onCommitted: Parameters<PacketFilter['onCommitted']>[0] | undefined;
    const assembly = assemble({
      node: 'n1',
      version: 'test',
      clock: this.clock,
      log: silent,
      view: this.#view(),
      journal: {
        load: () => [...this.journal.values()].map((text) => JSON.parse(text) as WorkloadRecord),
        write: async (record) => {
          alive();
          this.journal.set(workloadKeyText(record.workload), JSON.stringify(record));
        },
        forget: async (key) => {
          alive();
          this.journal.delete(workloadKeyText(key));
        },
      },
      packetFilter: {
        apply: async (inputs) => {
          alive();
          if (this.policyFailure !== undefined) throw new Error(this.policyFailure);
          this.policy = inputs;
          this.policyCommits += 1;
          onCommitted?.({ chains: new Map(), sets: new Map() }, inputs);
        },
        onCommitted: (callback) => {
          onCommitted = callback;
        },
        onTampered: () => {},
        close: () => {},
      },
      connections: fakeConnections(this, alive),
      kernel: fakeKernel(this, alive),
      pods: fakePods(this, alive),
      addresses: fakeAddresses(this, alive),
      leases: this.leases.source(() => {
        alive();
        this.requireIpam();
      }),
      stockFile: this.leases.stockFile(alive),
      store: fakeStore(this, alive),
      reporter: { report: (state) => this.reports.push(state) },
      random: { bytes: (count) => new Uint8Array(count).fill(this.nextAddress) },
      jitter: () => 0.5,
      step: (step) => {
        alive();
        onStep?.(step);
        isDead = step === crashAt;
        if (isDead) throw new Killed(`killed at ${step}`);
      },
    });
    assembly.start();
    assembly.viewChanged([]);
    return assembly;
  }

  put(resource: AnyResource): bigint {
    this.resources.set(keyText(keyOf(resource)), resource);
    return ++this.revision;
  }

  forget(kind: Kind): void {
    for (const [key, resource] of this.resources) {
      if (resource.kind === kind) this.resources.delete(key);
    }
  }

  list<K extends Kind>(kind: K): Extract<AnyResource, { readonly kind: K }>[] {
    const all = [...this.resources.values()].filter((resource) => resource.kind === kind);
    return all as Extract<AnyResource, { readonly kind: K }>[];
  }

  /** Lets time pass, with everything that happens in it. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 10) {
      await idle();
      this.clock.advance(10);
    }
    await idle();
  }

  /** Runs until the promise is settled. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    const state = { isDone: false };
    const done = (): void => {
      state.isDone = true;
    };
    promise.then(done, done);
    for (let i = 0; i < 10_000 && !state.isDone; i++) await this.pass(10);
    return promise;
  }

  /** Nothing of any workload is left anywhere; a watch for a late endpoint may be. */
  leftovers(): string[] {
    return [
      ...[...this.journal]
        .filter(([, text]) => !text.includes('watchedUntil'))
        .map(([key]) => `journal ${key}`),
      ...[...this.devices.keys()].map((key) => `device ${key}`),
      ...[...this.routes.keys()].map((key) => `route ${key}`),
      ...[...this.assigned.keys()].map((key) => `address of ${key}`),
      ...this.list('WorkloadEndpoint').map(({ metadata }) => `endpoint ${metadata.name}`),
      ...(this.policy?.localEndpoints ?? []).map(({ metadata }) => `policy of ${metadata.name}`),
    ];
  }

  /** Deletes it unless it is another container's; answers the revision when it did. */
  removeEndpoint({ namespace, name, containerId }: EndpointId): bigint | undefined {
    const key = keyText({ kind: 'WorkloadEndpoint', namespace, name });
    const held = this.resources.get(key) as WorkloadEndpoint | undefined;
    if (held === undefined || held.spec.containerID !== containerId) return undefined;
    this.resources.delete(key);
    return ++this.revision;
  }

  requireIpam(): void {
    if (!this.isIpamUp) throw new WorkloadError('unavailable', 'Cannot reach ipam: refused');
  }

  /** As the kernel does: its routes go with it. */
  removeDevice(name: string): void {
    this.devices.delete(name);
    for (const map of [this.routes, this.podAddresses]) {
      for (const [key, { device }] of map) if (device === name) map.delete(key);
    }
  }

  found(): FoundDataplane {
    return {
      tunnels: new Map(this.tunnels),
      routes: new Map(this.routes),
      neighbours: new Map(this.neighbours),
      fdb: new Map(this.fdb),
      podDevices: new Map([...this.devices].map(([name, { settings }]) => [name, settings])),
      podAddresses: new Map(this.podAddresses),
    };
  }

  #view() {
    const read = { inSync: () => this.isInSync, revision: () => this.revision };
    return {
      get inSync() {
        return read.inSync();
      },
      get revision() {
        return read.revision();
      },
      list: <K extends Kind>(kind: K) => this.list(kind),
    };
  }
}

async function idle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
