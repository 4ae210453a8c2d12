// Tries again, for ever, what a removal could not do: a pod's address is never lost for good.
import type { CancelTimer, Clock } from '@calico/clock';
import type { Log } from '../ports.ts';
import { type WorkloadRecord, workloadKeyText } from './workload.ts';
import type { WorkloadBook } from './workload_book.ts';
import { WorkloadError } from './workload_error.ts';
import type { WorkloadRemover } from './workload_remover.ts';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 5_000;

export class PendingRemovals {
  readonly #book: WorkloadBook;
  readonly #remover: WorkloadRemover;
  readonly #clock: Clock;
  readonly #jitter: () => number;
  readonly #log: Log;
  #delayMs = FIRST_DELAY_MS;
  #cancel: CancelTimer | undefined;
  #isRunning = false;
  #isStopped = false;
  /** Where the last round ended: the next one starts after it, so that nobody waits for ever. */
  #triedLast = '';

  /** `jitter` answers 0 to 1. */
  constructor(parts: {
    readonly book: WorkloadBook;
    readonly remover: WorkloadRemover;
    readonly clock: Clock;
    readonly jitter: () => number;
    readonly log: Log;
  }) {
    this.#book = parts.book;
    this.#remover = parts.remover;
    this.#clock = parts.clock;
    this.#jitter = parts.jitter;
    this.#log = parts.log;
  }

  /** After a start: what was under way is taken back here at once, elsewhere as soon as possible. */
  recover(): void {
    for (const record of this.#book.records) {
      if (record.phase === 'present') continue;
      const { phase, workload } = record;
      this.#log.info('an operation was cut off, taking the workload back', {
        container: workload.containerId,
        phase,
      });
      const pending = phase === 'adding' ? { endpoint: true, address: true } : record.pending;
      void this.#book
        .run(workload, () =>
          this.#remover.takeBack({ ...record, phase: 'removing', pending }, { remoteNow: false }),
        )
        .catch((cause: unknown) => {
          this.#log.error('taking back failed', { cause: String(cause) });
          this.schedule();
        });
    }
  }

  schedule(delayMs = this.#delayMs): void {
    if (this.#isStopped || this.#isRunning || this.#cancel !== undefined) return;
    const jittered = delayMs * (0.75 + this.#jitter() / 2);
    this.#cancel = this.#clock.setTimer(jittered, () => {
      this.#cancel = undefined;
      this.#isRunning = true;
      void this.#run().finally(() => {
        this.#isRunning = false;
        // Also for one that is busy now: it may have failed while this was running.
        if (this.#book.records.some(({ phase }) => phase === 'removing')) this.schedule();
      });
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  #waiting() {
    return this.#book.records.filter(
      ({ phase, workload }) => phase !== 'present' && !this.#book.isBusy(workload),
    );
  }

  /** In turn: the one after the last one tried comes first. */
  #inTurn(): readonly WorkloadRecord[] {
    const waiting = this.#waiting();
    const last = waiting.findIndex(({ workload }) => workloadKeyText(workload) === this.#triedLast);
    const start = last + 1;
    return [...waiting.slice(start), ...waiting.slice(0, start)];
  }

  async #run(): Promise<void> {
    let failures = 0;
    let isUnavailable = false;
    for (const { workload } of this.#inTurn()) {
      // The services that are needed are away: the others would fail alike.
      if (isUnavailable || this.#isStopped) break;
      this.#triedLast = workloadKeyText(workload);
      await this.#book
        .run(workload, async () => {
          const record = this.#book.get(workload);
          if (record !== undefined && record.phase !== 'present') {
            await this.#remover.finishRemoval(record);
          }
        })
        .catch((cause: unknown) => {
          failures += 1;
          isUnavailable = cause instanceof WorkloadError && cause.kind === 'unavailable';
          this.#log.debug('removal still not complete', { cause: String(cause) });
        });
    }
    this.#delayMs = failures === 0 ? FIRST_DELAY_MS : Math.min(this.#delayMs * 2, LONGEST_DELAY_MS);
  }
}
