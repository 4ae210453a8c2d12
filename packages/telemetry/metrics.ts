import type { Attributes, MeterProvider } from '@opentelemetry/api';
import type { PassingGauges } from './passing_gauges.ts';

/** Label values. Keep the number of distinct sets small: no addresses, no pod names. */
export type Labels = Attributes;

export type Reading = { readonly value: number; readonly labels: Labels };

export interface Counter {
  add(amount?: number, labels?: Labels): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
}

export interface Histogram {
  record(value: number, labels?: Labels): void;
}

/** Factories of instruments. Names are snake_case with the unit last; counters get `_total`. */
export interface Metrics {
  counter(name: string, description: string): Counter;
  gauge(name: string, description: string): Gauge;
  /** `buckets`: upper bounds, ascending. */
  histogram(name: string, description: string, buckets?: readonly number[]): Histogram;
  /** A gauge that is read when it is asked for. */
  observe(name: string, description: string, read: () => number): void;
  /** A gauge with a value for each of several sets of labels, which may come and go: what is not read is not there. */
  observeEach(name: string, description: string, read: () => Iterable<Reading>): void;
}

/** Seconds, from half a millisecond to ten seconds. */
const SECONDS_BUCKETS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;

export function createMetrics(provider: MeterProvider, passing: PassingGauges): Metrics {
  const meter = provider.getMeter('calico');
  return {
    counter: (name, description) => {
      const counter = meter.createCounter(name, { description });
      return { add: (amount = 1, labels) => counter.add(amount, labels) };
    },
    gauge: (name, description) => {
      const gauge = meter.createGauge(name, { description });
      return { set: (value, labels) => gauge.record(value, labels) };
    },
    histogram: (name, description, buckets = SECONDS_BUCKETS) => {
      const advice = { explicitBucketBoundaries: [...buckets] };
      const histogram = meter.createHistogram(name, { description, advice });
      return { record: (value, labels) => histogram.record(value, labels) };
    },
    observe: (name, description, read) => {
      const gauge = meter.createObservableGauge(name, { description });
      gauge.addCallback((result) => result.observe(read()));
    },
    observeEach: (name, description, read) => passing.add({ name, description, read }),
  };
}

/** Metrics that go nowhere: for tests. */
export function noMetrics(): Metrics {
  return {
    counter: () => ({ add: () => {} }),
    gauge: () => ({ set: () => {} }),
    histogram: () => ({ record: () => {} }),
    observe: () => {},
    observeEach: () => {},
  };
}
