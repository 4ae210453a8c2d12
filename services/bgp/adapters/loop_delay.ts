// How late the event loop is: keepalives and answers wait for it.

/** So seldom that it costs nothing. */
const SAMPLE_MS = 10;
const MICROSECONDS_PER_MS = 1_000;

/**
 * A timer that notes how late it is, and how much processor time the thread has used meanwhile. A delay is
 * seen as far as it outlasts the timer, so it may have been a sample longer.
 */
export class LoopWatch {
  #late = 0;
  #busy = 0;
  #firedAt = performance.now();
  #cpuMs = threadCpuMs();
  readonly #sampleMs: number;
  #timer: NodeJS.Timeout;

  /** @param sampleMs so much longer than told a delay may have been */
  constructor(sampleMs: number = SAMPLE_MS) {
    this.#sampleMs = sampleMs;
    this.#timer = this.#wait();
  }

  /** The longest delay since the last call, in milliseconds. */
  takeLate(): number {
    const late = this.#late;
    this.#late = 0;
    return late;
  }

  /**
   * As takeLate(), but as much of each as the thread has used a processor meanwhile: neither waiting for one
   * counts, nor sleeping inside a system call.
   */
  takeBusy(): number {
    const busy = this.#busy;
    this.#busy = 0;
    return busy;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #wait(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#sample();
      this.#timer = this.#wait();
    }, this.#sampleMs).unref();
  }

  #sample(): void {
    const now = performance.now();
    const cpuMs = threadCpuMs();
    const late = now - this.#firedAt - this.#sampleMs;
    this.#late = Math.max(this.#late, late);
    this.#busy = Math.max(this.#busy, Math.min(late, cpuMs - this.#cpuMs));
    this.#firedAt = now;
    this.#cpuMs = cpuMs;
  }
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / MICROSECONDS_PER_MS;
}
