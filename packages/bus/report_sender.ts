import type { Clock } from '@calico/clock';
import type { BusLogger, StreamPort } from './ports.ts';
import { STREAMS } from './ports.ts';
import type { NodeTopic } from './subjects.ts';

type Held = {
  readonly topic: NodeTopic;
  readonly data: Uint8Array;
  /** True: the server does not have it yet. */
  readonly unsent: boolean;
};

/** How often what has not changed is said again, so that a silent node can be told from a dead one. */
const HEARTBEAT_MS: Readonly<Record<NodeTopic, number>> = {
  applied: 10_000,
  health: 10_000,
  peers: 30_000,
  endpoints: 60_000,
};
const RETRY_MS = 500;

export type ReportSenderOptions = {
  readonly streams: StreamPort;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: BusLogger;
  readonly signal: AbortSignal;
};

/** Keeps the last report per subject and sees to it that the server has it. */
export class ReportSender {
  readonly #options: ReportSenderOptions;
  readonly #held = new Map<string, Held>();
  readonly #timers = new Map<string, () => void>();
  readonly #sending = new Set<string>();

  constructor(options: ReportSenderOptions) {
    this.#options = options;
    const unsubscribe = options.streams.onStateChange((connected) => {
      if (connected) this.#sendAll();
    });
    options.signal.addEventListener('abort', () => {
      unsubscribe();
      for (const cancel of this.#timers.values()) cancel();
      this.#timers.clear();
    });
  }

  set(subject: string, topic: NodeTopic, data: Uint8Array): void {
    if (this.#options.signal.aborted) return;
    this.#held.set(subject, { topic, data, unsent: true });
    this.#send(subject);
  }

  #sendAll(): void {
    for (const [subject, held] of this.#held) {
      this.#held.set(subject, { ...held, unsent: true });
      this.#send(subject);
    }
  }

  /** One at a time per subject, so that an older value never arrives after a newer one. */
  #send(subject: string): void {
    const { streams, signal } = this.#options;
    const held = this.#held.get(subject);
    if (held === undefined || this.#sending.has(subject)) return;
    if (!streams.connected || signal.aborted) return;
    this.#timers.get(subject)?.();
    this.#sending.add(subject);
    streams.publish(STREAMS.nodes, { subject, data: held.data }).then(
      () => this.#sent(subject, held),
      (cause: unknown) => this.#failed(subject, cause),
    );
  }

  #sent(subject: string, sent: Held): void {
    this.#sending.delete(subject);
    if (this.#held.get(subject) !== sent) return this.#send(subject);
    this.#held.set(subject, { ...sent, unsent: false });
    const every = HEARTBEAT_MS[sent.topic];
    this.#later(subject, every * (0.8 + 0.2 * this.#options.random()));
  }

  #failed(subject: string, cause: unknown): void {
    this.#sending.delete(subject);
    this.#options.logger.debug(`Cannot report on "${subject}": ${String(cause)}`);
    this.#later(subject, RETRY_MS * (0.5 + this.#options.random()));
  }

  #later(subject: string, delayMs: number): void {
    if (this.#options.signal.aborted) return;
    this.#timers.get(subject)?.();
    const cancel = this.#options.clock.setTimer(delayMs, () => {
      this.#timers.delete(subject);
      this.#send(subject);
    });
    this.#timers.set(subject, cancel);
  }
}
