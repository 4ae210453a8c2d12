import type { Labels, Metrics, Reading } from './metrics.ts';

/** Instruments that can be used at once. What they are told before attach() waits for it. */
export class DeferredMetrics implements Metrics {
  #real: Metrics | undefined;
  #waiting: ((real: Metrics) => void)[] = [];

  /** Everything goes to `real` from now on, what has waited first. */
  attach(real: Metrics): void {
    this.#real = real;
    for (const use of this.#waiting) use(real);
    this.#waiting = [];
  }

  counter(name: string, description: string) {
    const use = this.#instrument((real) => real.counter(name, description));
    return {
      add: (amount?: number, labels?: Labels) => use((counter) => counter.add(amount, labels)),
    };
  }

  gauge(name: string, description: string) {
    const use = this.#instrument((real) => real.gauge(name, description));
    return { set: (value: number, labels?: Labels) => use((gauge) => gauge.set(value, labels)) };
  }

  histogram(name: string, description: string, buckets?: readonly number[]) {
    const use = this.#instrument((real) => real.histogram(name, description, buckets));
    return {
      record: (value: number, labels?: Labels) => use((each) => each.record(value, labels)),
    };
  }

  observe(name: string, description: string, read: () => number): void {
    this.#soon((real) => real.observe(name, description, read));
  }

  observeEach(name: string, description: string, read: () => Iterable<Reading>): void {
    this.#soon((real) => real.observeEach(name, description, read));
  }

  #instrument<T>(make: (real: Metrics) => T): (use: (instrument: T) => void) => void {
    let made: T | undefined;
    this.#soon((real) => {
      made = make(real);
    });
    return (use) => this.#soon(() => use(made as T));
  }

  #soon(use: (real: Metrics) => void): void {
    if (this.#real === undefined) this.#waiting.push(use);
    else use(this.#real);
  }
}
