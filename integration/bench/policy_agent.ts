// Felix from a cluster event to the packet filter, for measuring: its real agent, inputs, graph and nftables. Routes and
// devices are left out: its kernel is empty, and nobody hears its reports.
import { systemClock } from '@calico/clock';
import { ResourceView } from '@calico/feed';
import { type AnyResource, type Kind, parseStored } from '@calico/model';
import { openPacketFilter } from '../../services/felix/adapters/packet_filter.ts';
import { Agent } from '../../services/felix/core/agent.ts';
import { EMPTY_DATAPLANE } from '../../services/felix/core/dataplane.ts';
import { FeatureProbe } from '../../services/felix/core/feature_probe.ts';
import { HealthLog } from '../../services/felix/core/health_log.ts';
import { KernelReconciler } from '../../services/felix/core/kernel_reconciler.ts';
import { LocalEndpoints } from '../../services/felix/core/local_endpoints.ts';
import { PolicyCommitter } from '../../services/felix/core/policy_committer.ts';
import { PolicyInputSource } from '../../services/felix/core/policy_input_source.ts';
import { WorkloadBook } from '../../services/felix/core/workload_book.ts';
import type { Kernel, PodNetwork } from '../../services/felix/ports.ts';

const SILENT = { debug() {}, info() {}, warn: console.warn, error: console.error };
const NO_KERNEL: Kernel = {
  read: () => ({ ...EMPTY_DATAPLANE, tunnels: new Map() }),
  execute: () => [],
  uplinkOf: () => ({ device: 'eth0', mtu: 1500 }),
  hostInterfaces: () => [],
  probe: () => undefined,
  enableForwarding: () => [],
};

/** A resource as the feed brings it. */
export type Event = { readonly kind: Kind; readonly json: string };

export function eventOf(resource: AnyResource): Event {
  return { kind: resource.kind, json: JSON.stringify(resource) };
}

export class PolicyAgent {
  readonly view = new ResourceView();
  readonly #agent: Agent;
  readonly #filter: ReturnType<typeof openPacketFilter>;
  #onCommitted: () => void = () => {};
  #revision = 1n;

  constructor(node: string, netns: string) {
    const { view } = this;
    const filter = openPacketFilter({ logger: SILENT, netns });
    const book = new WorkloadBook({
      load: () => [],
      write: async () => {},
      forget: async () => {},
    });
    const local = new LocalEndpoints(node, view, book);
    const source = new PolicyInputSource(node, view, () => []);
    const health = new HealthLog(systemClock);
    const kernel = NO_KERNEL;
    this.#filter = filter;
    filter.onCommitted(() => this.#onCommitted());
    this.#agent = new Agent({
      node,
      view,
      book,
      local,
      kernel,
      health,
      pods: {} as PodNetwork,
      committer: new PolicyCommitter(
        filter,
        () => (view.inSync ? source.inputs(local.endpoints()) : undefined),
        systemClock,
      ),
      cutter: { isSettled: true, settled: async () => {} },
      reconciler: new KernelReconciler({ kernel, health, log: SILENT, clock: systemClock }),
      features: new FeatureProbe(kernel, systemClock),
      reporter: { report() {} },
      clock: systemClock,
      log: SILENT,
      onPass: () => {},
    });
  }

  /** Milliseconds: until the snapshot is read, and from then until it is in the kernel. */
  async start(snapshot: Iterable<Event>): Promise<{ read: number; commit: number }> {
    const started = performance.now();
    this.view.apply({ kind: 'snapshot-start', source: 'nats' });
    for (const event of snapshot) this.#put(event);
    this.view.apply({ kind: 'in-sync', revision: this.#revision });
    const read = performance.now();
    const committed = this.#committed();
    this.#agent.start();
    this.#agent.viewChanged(this.view.takeChangedKinds());
    await committed;
    return { read: read - started, commit: performance.now() - read };
  }

  /** Milliseconds from the event until its effect is in the kernel. */
  async change(event: Event): Promise<number> {
    const committed = this.#committed();
    const started = performance.now();
    this.#put(event);
    this.view.apply({ kind: 'in-sync', revision: ++this.#revision });
    this.#agent.viewChanged(this.view.takeChangedKinds());
    await committed;
    return performance.now() - started;
  }

  close(): void {
    this.#agent.stop();
    this.#filter.close();
  }

  #put({ kind, json }: Event): void {
    const resource = parseStored(kind, json);
    this.view.apply({ kind: 'put', resource, revision: this.#revision });
  }

  #committed(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onCommitted = resolve;
    return promise;
  }
}
