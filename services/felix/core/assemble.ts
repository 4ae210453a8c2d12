// Felix' parts, joined. Effects come in as ports: the same assembly runs in tests with fakes.
import type { Clock } from '@calico/clock';
import { felixConfigurationFor, type Kind } from '@calico/model';
import type {
  AddressBook,
  ClusterView,
  ConnectionTable,
  FelixActions,
  Journal,
  Kernel,
  LeaseSource,
  Log,
  PacketFilter,
  PodNetwork,
  PolicyInputs,
  Random,
  Reporter,
  ResourceStore,
  StockFile,
} from '../ports.ts';
import { Agent } from './agent.ts';
import { datastoreLock } from './datastore_lock.ts';
import { EndpointKeeper } from './endpoint_keeper.ts';
import { FeatureProbe } from './feature_probe.ts';
import { Felix } from './felix.ts';
import { endpointsOf } from './followed_view.ts';
import { HealthLog } from './health_log.ts';
import { KernelReconciler } from './kernel_reconciler.ts';
import { LocalEndpoints } from './local_endpoints.ts';
import { PendingRemovals } from './pending_removals.ts';
import { ConnectionCutter } from './policy/connections/connection_cutter.ts';
import { filterSettings } from './policy/meaning/settings.ts';
import { PolicyCommitter } from './policy_committer.ts';
import { PolicyInputSource } from './policy_input_source.ts';
import { poolPrefix } from './pools.ts';
import { RetryLoop } from './retry_loop.ts';
import type { StepHook } from './steps.ts';
import { SyncGate } from './sync_gate.ts';
import { TunnelAddresses } from './tunnel_addresses.ts';
import { tunnelSettings } from './tunnel_settings.ts';
import { WarmAddresses } from './warm_addresses.ts';
import type { WorkloadRecord } from './workload.ts';
import { WorkloadAdder } from './workload_adder.ts';
import { WorkloadBook } from './workload_book.ts';
import { WorkloadRemover } from './workload_remover.ts';

/** An ADD waits this long for the first snapshot; less than its callers wait for an answer. */
const SYNC_PATIENCE_MS = 3_000;

export type Ports = {
  readonly node: string;
  readonly version: string;
  readonly view: ClusterView;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly packetFilter: PacketFilter;
  readonly connections: ConnectionTable;
  readonly log: Log;
  readonly kernel: Kernel;
  readonly pods: PodNetwork;
  readonly addresses: AddressBook;
  readonly leases: LeaseSource;
  readonly stockFile: StockFile;
  readonly store: ResourceStore;
  readonly reporter: Reporter;
  readonly random: Random;
  /** 0 to 1. */
  readonly jitter: () => number;
  readonly step: StepHook;
};

export type Assembly = {
  readonly agent: Agent;
  readonly actions: FelixActions;
  /** Workloads of this node. */
  workloads(): readonly WorkloadRecord[];
  start(): void;
  stop(): void;
  /** Gives ready addresses back; after stop(). */
  leave(): Promise<void>;
  viewChanged(kinds: Iterable<Kind>): void;
};

export function assemble(ports: Ports): Assembly {
  const { node, view, journal, clock, packetFilter, log, kernel, pods, addresses, store } = ports;
  const { jitter, step, random, reporter, version } = ports;
  const book = new WorkloadBook(journal);
  const health = new HealthLog(clock);
  const features = new FeatureProbe(kernel, clock);
  const gate = new SyncGate(clock, SYNC_PATIENCE_MS);
  const local = new LocalEndpoints(node, view, book);
  const source = new PolicyInputSource(node, view, () => kernel.hostInterfaces());
  const inputs = (): PolicyInputs | undefined =>
    view.inSync ? source.inputs(local.endpoints()) : undefined;
  const committer = new PolicyCommitter(packetFilter, inputs, clock);
  const cutter = new ConnectionCutter({ table: ports.connections, clock, log });
  packetFilter.onCommitted((ruleset, { felixConfiguration, ipPools }) => {
    cutter.committed(ruleset, filterSettings(felixConfiguration, ipPools).cutBit);
  });
  const commitPolicy = (): Promise<void> => committer.commit();
  const remover = new WorkloadRemover({
    node,
    book,
    addresses,
    store,
    pods,
    log,
    step,
    now: () => clock.now(),
    commitPolicy,
    forgetConnections: (gone) => ports.connections.forget(gone),
    storedEndpoints: () => endpointsOf(node, view),
    returnLeased: (leased) => ports.leases.returnLeased(leased, true),
    onPending: () => pending.schedule(),
  });
  const pending = new PendingRemovals({ book, remover, clock, jitter, log });
  const warm = new WarmAddresses({
    source: ports.leases,
    file: ports.stockFile,
    clock,
    book,
    remover,
    log,
    report: (problems) => health.setCondition('leases', problems),
    hasFamily: (family) => view.list('IPPool').some((pool) => poolPrefix(pool).family === family),
  });
  const warmLoop = new RetryLoop({
    work: () => warm.ensure(),
    clock,
    jitter,
    onFailure: (cause) => log.debug('ready addresses not settled', { cause: String(cause) }),
  });
  const adder = new WorkloadAdder({
    node,
    book,
    remover,
    addresses,
    store,
    pods,
    random,
    log,
    step,
    commitPolicy,
    takeLeased: (workload) => warm.take(workload),
    requireSync: () => gate.pass(),
    pools: () => view.list('IPPool'),
    locked: () => datastoreLock(view.list('ClusterInformation')),
    refusalOf: (pool) => features.refusalOf(pool),
    underlayMtu: () => agent.underlayMtu,
    tunnelSettings: () =>
      tunnelSettings(felixConfigurationFor(node, view.list('FelixConfiguration'))),
  });
  const tunnels = new TunnelAddresses({
    node,
    view,
    addresses,
    store,
    canUse: (pool) => features.refusalOf(pool) === undefined,
    report: (problems) => {
      health.setCondition('tunnel-addresses', problems);
      agent.healthChanged();
    },
  });
  const tunnelLoop = new RetryLoop({
    work: () => tunnels.ensure(),
    clock,
    jitter,
    onFailure: (cause) => log.warn('tunnel address not settled', { cause: String(cause) }),
  });
  const keeper = new EndpointKeeper({ node, book, view, store, addresses, log });
  const keeperLoop = new RetryLoop({
    work: () => keeper.ensure(),
    clock,
    jitter,
    onFailure: (cause) => log.warn('endpoint not written again', { cause: String(cause) }),
  });
  const agent: Agent = new Agent({
    node,
    view,
    book,
    local,
    kernel,
    pods,
    committer,
    cutter,
    features,
    health,
    reporter,
    clock,
    log,
    reconciler: new KernelReconciler({ kernel, health, log, clock }),
    onPass: (isConcerned) => {
      if (isConcerned || keeper.isBehind) keeperLoop.ask();
      if (!isConcerned) return;
      tunnelLoop.ask();
      if (view.inSync) warmLoop.ask();
    },
  });
  packetFilter.onTampered((detail) => agent.packetFilterTampered(detail));
  const actions = new Felix({
    node,
    version,
    book,
    adder,
    remover,
    agent,
    view,
    pods,
    addresses,
    store,
    health,
    log,
    hasReadyAddresses: () => warm.isReady(),
    refusalOf: (pool) => features.refusalOf(pool),
  });
  return {
    agent,
    actions,
    workloads: () => book.records,
    start: () => {
      agent.start();
      pending.recover();
    },
    stop: () => {
      agent.stop();
      pending.stop();
      tunnelLoop.stop();
      keeperLoop.stop();
      warmLoop.stop();
    },
    leave: () => warm.returnAll(),
    viewChanged: (kinds) => {
      if (view.inSync) gate.open();
      agent.viewChanged(kinds);
    },
  };
}
