// Felix' loop. Whatever happens only marks what has to be looked at again; one pass at a time then
// computes what is wanted from all that is known and commits the difference.
//
//   feed ----viewChanged----+                          +--> kernel (routes, devices, neighbours)
//   ADD/DEL --workloads-----+--> pass: desired state --+--> packet filter (one transaction)
//   netlink monitor---------+                          +--> reports: applied, endpoints, health
//   resync timer, retry-----+
//
// A pass does not wait for connections to be cut; the applied revision does. A change of policy alone costs no look at
// routes and devices.
import type { CancelTimer, Clock } from '@calico/clock';
import { felixConfigurationFor, type IPPool, type Kind, type Node } from '@calico/model';
import type { ClusterView, Kernel, Log, PodNetwork, Reporter, StateReport } from '../ports.ts';
import { datastoreLock } from './datastore_lock.ts';
import { DATAPLANE_KINDS, desiredDataplane } from './desired.ts';
import { endpointStatuses } from './endpoint_status.ts';
import type { FeatureProbe } from './feature_probe.ts';
import type { HealthLog } from './health_log.ts';
import type { KernelReconciler } from './kernel_reconciler.ts';
import type { LocalEndpoints } from './local_endpoints.ts';
import { NOTHING_REPAIRED, repairPods } from './pod_repair.ts';
import { PodRoutes } from './pod_routes.ts';
import type { ConnectionCutter } from './policy/connections/connection_cutter.ts';
import type { PolicyCommitter } from './policy_committer.ts';
import { dependsOnAddresses, NOTED_KINDS, POLICY_KINDS } from './policy_inputs.ts';
import { PolicyNotes } from './policy_notes.ts';
import { poolRefusal } from './pools.ts';
import { tunnelSettings } from './tunnel_settings.ts';
import { findUplinks, NO_UPLINKS, type Uplinks, underlayMtu, uplinkProblems } from './uplinks.ts';
import type { WorkloadBook } from './workload_book.ts';
import type { LocalEndpoint } from './workload_endpoint.ts';

/** Changes that come so soon after a pass share the next; one that comes later has its own at once. */
const SETTLE_MS = 10;
const RESYNC_MS = 90_000;
const RETRY_MS = 2_000;

export type AgentParts = {
  readonly node: string;
  readonly view: ClusterView;
  readonly book: WorkloadBook;
  readonly local: LocalEndpoints;
  readonly kernel: Kernel;
  readonly pods: PodNetwork;
  readonly committer: PolicyCommitter;
  readonly cutter: Pick<ConnectionCutter, 'isSettled' | 'settled'>;
  readonly reconciler: KernelReconciler;
  readonly features: FeatureProbe;
  readonly health: HealthLog;
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly log: Log;
  /** After each pass; `isConcerned`: it has looked at routes and devices, and what they depend on may have changed. */
  readonly onPass: (isConcerned: boolean) => void;
};

export class Agent {
  readonly #parts: AgentParts;
  #isPolicyDirty = true;
  #isKernelDirty = true;
  #isDataplaneDirty = true;
  #isDataplaneComplete = false;
  /** Of the last look at routes and devices. */
  #local: readonly LocalEndpoint[] = [];
  readonly #podRoutes = new PodRoutes();
  readonly #notes: PolicyNotes;
  #areNotesStale = true;
  #isAsked = false;
  #isRunning = false;
  #isStopped = false;
  /** Of the last pass that left nothing to be done, except perhaps connections to be cut. */
  #passedRevision = 0n;
  #appliedRevision = 0n;
  #state: Pick<StateReport, 'inSync' | 'endpoints' | 'ready'> | undefined;
  #isAwaitingCuts = false;
  #uplinks: Uplinks = NO_UPLINKS;
  #passEnded = -Infinity;
  #timer: CancelTimer | undefined;
  /** The timer is that of a retry. */
  #isBackingOff = false;
  #resync: CancelTimer | undefined;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#notes = new PolicyNotes(parts.view);
  }

  start(): void {
    this.#parts.book.onChange(() => {
      this.#isPolicyDirty = true;
      this.#isKernelDirty = true;
      this.#askNow(SETTLE_MS);
    });
    this.#scheduleResync();
    this.#ask();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.();
    this.#resync?.();
  }

  /** The highest revision whose effect is in the kernel. */
  get appliedRevision(): bigint {
    return this.#appliedRevision;
  }

  /** What the node's uplinks carry; undefined when they are not known. */
  get underlayMtu(): number | undefined {
    return underlayMtu(this.#uplinks) ?? underlayMtu(this.#findUplinks());
  }

  viewChanged(kinds: Iterable<Kind>): void {
    for (const kind of kinds) {
      if (POLICY_KINDS.has(kind)) this.#isPolicyDirty = true;
      if (NOTED_KINDS.has(kind)) this.#areNotesStale = true;
      if (DATAPLANE_KINDS.has(kind)) this.#isDataplaneDirty = true;
    }
    const rest = this.#passEnded + SETTLE_MS - this.#parts.clock.monotonic();
    this.#askNow(Math.max(rest, 0));
  }

  /** Someone, perhaps this process, changed the kernel. */
  kernelChanged(): void {
    const { node, view } = this.#parts;
    if (dependsOnAddresses(node, view)) this.#isPolicyDirty = true;
    this.#isKernelDirty = true;
    this.#ask();
  }

  packetFilterTampered(detail: string): void {
    const text = `repaired: the packet filter had been changed by another: ${detail}`;
    this.#parts.log.warn(text);
    this.#parts.health.note(text);
    this.#isPolicyDirty = true;
    this.#ask();
  }

  /** Somebody else has set a condition: it is told without a pass. */
  healthChanged(): void {
    this.#report();
  }

  /** What is newly wanted does not wait for the retry of what failed. */
  #askNow(delayMs: number): void {
    if (this.#isBackingOff) {
      this.#timer?.();
      this.#timer = undefined;
    }
    this.#ask(delayMs);
  }

  #ask(delayMs = SETTLE_MS): void {
    this.#isAsked = true;
    if (this.#isRunning || this.#isStopped || this.#timer !== undefined) return;
    this.#isBackingOff = delayMs > SETTLE_MS;
    this.#timer = this.#parts.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      void this.#run();
    });
  }

  #scheduleResync(): void {
    this.#resync = this.#parts.clock.setTimer(RESYNC_MS, () => {
      this.#scheduleResync();
      this.kernelChanged();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    this.#isAsked = false;
    let isComplete = false;
    try {
      isComplete = await this.#pass();
    } catch (cause) {
      this.#isKernelDirty = true;
      this.#parts.log.error('pass failed', { error: cause });
    }
    this.#isRunning = false;
    this.#passEnded = this.#parts.clock.monotonic();
    if (this.#isAsked) this.#ask();
    else if (!isComplete) this.#ask(RETRY_MS);
  }

  /** True when everything wanted is in the kernel. */
  async #pass(): Promise<boolean> {
    const { view, book, local, health, cutter } = this.#parts;
    const { revision, inSync } = view;
    const policy = await this.#commitPolicy();
    // From here on nothing is awaited: what is compared with the kernel is what is known now.
    if (inSync) book.forgetDeleted(revision);
    if (this.#areNotesStale) health.setCondition('policy-notes', this.#notes.list());
    this.#areNotesStale = false;
    const lock = datastoreLock(view.list('ClusterInformation'));
    health.setCondition('lock', lock === undefined ? [] : [lock]);
    const isConcerned = this.#isDataplaneConcerned(local.list(), inSync);
    if (isConcerned) this.#settleDataplane(local.list(), inSync);
    const isComplete = policy && this.#isDataplaneComplete;
    if (isComplete && inSync) this.#passedRevision = revision;
    if (cutter.isSettled) this.#appliedRevision = this.#passedRevision;
    this.#state = {
      inSync,
      endpoints: this.#state?.endpoints ?? [],
      ready: isComplete && inSync,
    };
    this.#report();
    void this.#awaitCuts();
    this.#parts.onPass(isConcerned);
    return isComplete;
  }

  /**
   * Whether routes and devices may have to change. What went wrong there is tried again with every pass; a missing uplink
   * comes with a change of the kernel or of the cluster.
   */
  #isDataplaneConcerned(local: readonly LocalEndpoint[], inSync: boolean): boolean {
    const { health } = this.#parts;
    return (
      this.#isDataplaneDirty ||
      this.#isKernelDirty ||
      local !== this.#local ||
      inSync !== this.#state?.inSync ||
      ['pools', 'sysctl'].some((about) => health.conditions(about).length > 0)
    );
  }

  #settleDataplane(local: readonly LocalEndpoint[], inSync: boolean): void {
    const { node, view, book, kernel, pods, reconciler, features, health, log } = this.#parts;
    this.#local = local;
    this.#isDataplaneDirty = false;
    const pools = view.list('IPPool');
    const missing = features.missingFor(pools);
    health.setCondition(
      'pools',
      pools.flatMap((pool) => poolRefusal(pool, missing) ?? []),
    );
    health.setCondition('sysctl', kernel.enableForwarding());
    this.#uplinks = this.#findUplinks();
    health.setCondition('uplink', inSync ? this.#uplinkProblems(pools) : []);
    const isDirty = this.#isKernelDirty;
    this.#isKernelDirty = false;
    const repaired = isDirty ? repairPods(local, book, pods) : NOTHING_REPAIRED;
    for (const text of repaired.notes) {
      log.warn(text);
      health.note(text);
    }
    const desired = desiredDataplane({
      node,
      view,
      local: this.#parts.local.endpoints(),
      podRoutes: this.#podRoutes,
      uplinks: this.#uplinks,
      missing,
    });
    const result = reconciler.pass(desired, { prune: inSync, isDirty });
    if (result.failures.length > 0 || repaired.failures.size > 0) this.#isKernelDirty = true;
    this.#isDataplaneComplete = result.failures.length === 0;
    this.#state = {
      inSync,
      endpoints: endpointStatuses(local, result.after.podDevices, repaired.failures),
      ready: false,
    };
  }

  #report(): void {
    const { reporter, health } = this.#parts;
    if (this.#state === undefined) return;
    const appliedRevision = this.#appliedRevision;
    reporter.report({ ...this.#state, appliedRevision, messages: health.messages() });
  }

  /** Takes the applied revision along as connections are cut, while passes go on. */
  async #awaitCuts(): Promise<void> {
    const { cutter, health, log } = this.#parts;
    if (this.#isAwaitingCuts) return;
    this.#isAwaitingCuts = true;
    try {
      while (!this.#isStopped && this.#appliedRevision !== this.#passedRevision) {
        const revision = this.#passedRevision;
        await cutter.settled();
        health.setCondition('connections', []);
        this.#appliedRevision = revision;
        this.#report();
      }
    } catch (cause) {
      log.error('connections cannot be cut', { error: cause });
      const text = cause instanceof Error ? cause.message : String(cause);
      health.setCondition('connections', [`cannot cut connections: ${text}`]);
      this.#report();
      this.#ask(RETRY_MS);
    }
    this.#isAwaitingCuts = false;
  }

  async #commitPolicy(): Promise<boolean> {
    const { committer, health, log, view } = this.#parts;
    if (!this.#isPolicyDirty || !view.inSync) return true;
    this.#isPolicyDirty = false;
    try {
      await committer.commit();
      health.setCondition('policy', []);
      return true;
    } catch (cause) {
      this.#isPolicyDirty = true;
      log.error('packet filter cannot be brought up to date', { error: cause });
      const text = cause instanceof Error ? cause.message : String(cause);
      health.setCondition('policy', [`cannot bring the packet filter up to date: ${text}`]);
      return false;
    }
  }

  #uplinkProblems(pools: readonly IPPool[]): string[] {
    const { node: name, view } = this.#parts;
    const settings = tunnelSettings(felixConfigurationFor(name, view.list('FelixConfiguration')));
    return uplinkProblems({ name, node: this.#ownNode(), uplinks: this.#uplinks, pools, settings });
  }

  #ownNode(): Node | undefined {
    const { node, view } = this.#parts;
    return view.list('Node').find(({ metadata }) => metadata.name === node);
  }

  #findUplinks(): Uplinks {
    return findUplinks(this.#ownNode(), (address) => this.#parts.kernel.uplinkOf(address));
  }
}
