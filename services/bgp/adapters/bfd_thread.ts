import { Worker } from 'node:worker_threads';
import type { CancelTimer, Clock } from '@calico/clock';
import { unwatched } from '../core/bfd/engine.ts';
import type { BfdStatus, BfdTarget } from '../core/bfd/types.ts';
import type { BfdPort, Log } from '../ports.ts';

export type BfdCommand =
  | { readonly kind: 'configure'; readonly targets: readonly BfdTarget[] }
  | { readonly kind: 'stop' };

export type BfdAnswer =
  | { readonly kind: 'status'; readonly status: BfdStatus }
  | { readonly kind: 'stopped' };

export type BfdThreadOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly onStatus: (status: BfdStatus) => void;
};

const RESTART_MS = 1_000;
/** For the peers to be told that silence is no failure. */
const STOP_MS = 1_000;

/** BFD on a thread of its own, from the first target on. */
export class BfdThread implements BfdPort {
  readonly #options: BfdThreadOptions;
  #targets: readonly BfdTarget[] = [];
  #worker: Worker | undefined;
  #cancelRestart: CancelTimer = () => {};
  #isStopping = false;

  constructor(options: BfdThreadOptions) {
    this.#options = options;
  }

  configure(targets: readonly BfdTarget[]): void {
    this.#targets = targets;
    if (this.#worker === undefined && targets.length > 0) this.#start();
    else this.#tell({ kind: 'configure', targets });
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#cancelRestart();
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    const cancel = this.#options.clock.setTimer(STOP_MS, () => void worker.terminate());
    this.#tell({ kind: 'stop' });
    await ended;
    cancel();
  }

  #start(): void {
    const { log, clock, onStatus } = this.#options;
    const worker = new Worker(new URL('./bfd_worker.ts', import.meta.url));
    this.#worker = worker;
    worker.on('message', (answer: BfdAnswer) => {
      if (answer.kind === 'stopped') void worker.terminate();
      else onStatus(answer.status);
    });
    worker.on('error', ({ message }: Error) => {
      log.warn('BFD has failed: it starts anew', { reason: message });
      const problem = `The thread of BFD has failed: ${message}`;
      for (const target of this.#targets) onStatus(unwatched(target, clock.now(), problem));
    });
    worker.once('exit', () => {
      this.#worker = undefined;
      if (this.#isStopping) return;
      this.#cancelRestart = clock.setTimer(RESTART_MS, () => this.configure(this.#targets));
    });
    this.#tell({ kind: 'configure', targets: this.#targets });
  }

  #tell(command: BfdCommand): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker?.postMessage(command);
  }
}
