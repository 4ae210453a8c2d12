// One pass: read the kernel, compare with what is wanted, commit the difference.
import type { Clock } from '@calico/clock';
import type { Kernel, KernelFailure, Log } from '../ports.ts';
import { type Change, describeChange, planChanges, sameDataplane } from './changes.ts';
import type { Dataplane, FoundDataplane } from './dataplane.ts';
import { describeDrift } from './drift.ts';
import type { HealthLog } from './health_log.ts';

/** A new device gets its neighbours and routes in the second round, what depends on those in a third. */
const MAX_ROUNDS = 3;
const MAX_FAILURES_SHOWN = 5;

export type PassResult = {
  /** The kernel at the end of the pass. */
  readonly after: FoundDataplane;
  readonly failures: readonly KernelFailure[];
  readonly changes: number;
};

export class KernelReconciler {
  readonly #kernel: Kernel;
  readonly #health: HealthLog;
  readonly #log: Log;
  readonly #clock: Clock;
  /** Whether pods' devices may have addresses: so it is after a start, while any is wanted, and until all are gone. */
  #mayHaveAddresses = true;
  /** What the kernel held after the last pass without failure. */
  #settled: Dataplane | undefined;
  #last:
    | { readonly desired: Dataplane; readonly after: FoundDataplane; readonly prune: boolean }
    | undefined;

  constructor(parts: {
    readonly kernel: Kernel;
    readonly health: HealthLog;
    readonly log: Log;
    readonly clock: Clock;
  }) {
    this.#kernel = parts.kernel;
    this.#health = parts.health;
    this.#log = parts.log;
    this.#clock = parts.clock;
  }

  /**
   * `isDirty`: the kernel may differ from what it was after the last pass. Otherwise a desired state
   * that asks for the same as the last one costs no look at the kernel.
   */
  pass(
    desired: Dataplane,
    options: { readonly prune: boolean; readonly isDirty: boolean },
  ): PassResult {
    const last = this.#last;
    if (
      !options.isDirty &&
      last !== undefined &&
      last.prune === options.prune &&
      sameDataplane(last.desired, desired)
    ) {
      return { after: last.after, failures: [], changes: 0 };
    }
    const started = this.#clock.monotonic();
    let found = this.#read(desired);
    let failures: KernelFailure[] = [];
    let count = 0;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const changes = planChanges(desired, found, options);
      if (changes.length === 0) break;
      if (round === 0) this.#noteDrift(changes);
      failures = this.#kernel.execute(firstStage(changes));
      count += changes.length;
      found = this.#read(desired);
      if (failures.length === changes.length) break;
    }
    this.#health.setCondition('kernel', failures.slice(0, MAX_FAILURES_SHOWN).map(describeFailure));
    this.#last =
      failures.length === 0 ? { desired, after: found, prune: options.prune } : undefined;
    if (failures.length === 0) this.#settled = desired;
    if (count > 0) {
      const ms = Math.round((this.#clock.monotonic() - started) * 10) / 10;
      this.#log.info('kernel brought up to date', {
        changes: count,
        failures: failures.length,
        ms,
      });
    }
    return { after: found, failures, changes: count };
  }

  #read({ podAddresses }: Dataplane): FoundDataplane {
    const isAnyWanted = podAddresses.size > 0;
    this.#mayHaveAddresses ||= isAnyWanted;
    const found = this.#kernel.read({ podAddresses: this.#mayHaveAddresses });
    this.#mayHaveAddresses = isAnyWanted || found.podAddresses.size > 0;
    return found;
  }

  #noteDrift(changes: readonly Change[]): void {
    for (const text of describeDrift(changes, this.#settled)) {
      this.#log.warn(text);
      this.#health.note(text);
    }
  }
}

/** Devices first, alone: with a new device everything on it has to be compared anew. */
function firstStage(changes: readonly Change[]): readonly Change[] {
  const creations = changes.filter(({ kind }) => kind === 'tunnel-create');
  return creations.length > 0 ? creations : changes;
}

function describeFailure({ change, reason }: KernelFailure): string {
  return `cannot program ${describeChange(change)}: ${reason}`;
}
