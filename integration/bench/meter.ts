// How often and how fast one thing is done, and what it costs whom.
import { CpuClock, type CpuSeconds } from './cpu_clock.ts';
import { percentile } from './figures.ts';

/** Does one thing; answers nothing. `loop` counts from 0. */
export type Work = (loop: number) => Promise<void>;

export type Slice = { readonly perSecond: number; readonly p50Ms: number };

/** etcd writes what was committed to its file 100 ms later: on the account of who caused it. */
const SETTLE_MS = 150;

/** Adds up slices of work; they take turns with those of others. */
export class Meter {
  readonly #clock: CpuClock;
  readonly slices: Slice[] = [];
  #count = 0;

  constructor(pids: { readonly ipam: number; readonly etcd: number }) {
    this.#clock = new CpuClock(pids);
  }

  /** Works with `concurrency` loops until `most` are done or the time is over. */
  async run(concurrency: number, most: number, limitMs: number, work: Work): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const times: number[] = [];
    let started = 0;
    this.#clock.start();
    const start = performance.now();
    await Promise.all(
      Array.from({ length: concurrency }, async (_, loop) => {
        while (started < most && performance.now() - start < limitMs) {
          started++;
          const before = performance.now();
          await work(loop);
          times.push(performance.now() - before);
        }
      }),
    );
    const seconds = (performance.now() - start) / 1000;
    this.#clock.stop();
    this.#count += times.length;
    this.slices.push({ perSecond: times.length / seconds, p50Ms: percentile(times, 50) });
  }

  get perSecond(): number {
    return percentile(
      this.slices.map(({ perSecond }) => perSecond),
      50,
    );
  }

  get p50Ms(): number {
    return percentile(
      this.slices.map(({ p50Ms }) => p50Ms),
      50,
    );
  }

  /** Processor time of one piece of work, in microseconds, by process. */
  get cpuMicros(): CpuSeconds {
    const { client, ipam, etcd } = this.#clock.seconds;
    const each = 1e6 / this.#count;
    return { client: client * each, ipam: ipam * each, etcd: etcd * each };
  }
}
