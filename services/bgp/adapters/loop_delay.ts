// How late the event loop is: keepalives and answers wait for it.

const SAMPLE_MS = 10;
const MICROSECONDS_PER_MS = 1_000;

/**
 * A timer that notes how late it is, and how much processor time the thread has used meanwhile. The delay
 * that both allow for is the program's own; the rest is the machine's.
 */
export class LoopWatch {
  #late = 0;
  #busy = 0;
  #firedAt = performance.now();
  #cpuMs = threadCpuMs();
  #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = this.#wait();
  }

  /** The longest delay since the last call, in milliseconds. */
  takeLate(): number {
    const late = this.#late;
    this.#late = 0;
    return late;
  }

  /** The longest delay since the last call that was not spent on waiting for a processor, in milliseconds. */
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
    }, SAMPLE_MS).unref();
  }

  #sample(): void {
    const now = performance.now();
    const cpuMs = threadCpuMs();
    const late = now - this.#firedAt - SAMPLE_MS;
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
