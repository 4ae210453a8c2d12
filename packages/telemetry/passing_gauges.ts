// Gauges whose sets of labels come and go. OpenTelemetry's own storage keeps each set that it was ever told, and goes on
// exporting it; these are read anew at each collection, and nothing is kept.
import { ValueType } from '@opentelemetry/api';
import { hrTime } from '@opentelemetry/core';
import { emptyResource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type GaugeMetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import type { Reading } from './metrics.ts';

type Gauge = {
  readonly name: string;
  readonly description: string;
  readonly read: () => Iterable<Reading>;
};

export class PassingGauges implements MetricProducer {
  readonly #gauges: Gauge[] = [];

  add(gauge: Gauge): void {
    this.#gauges.push(gauge);
  }

  /** One that cannot be read is left out, with its error. */
  async collect(): Promise<CollectionResult> {
    const metrics: GaugeMetricData[] = [];
    const errors: unknown[] = [];
    for (const gauge of this.#gauges) {
      try {
        const data = dataOf(gauge);
        if (data.dataPoints.length > 0) metrics.push(data);
      } catch (error) {
        errors.push(error);
      }
    }
    const scopeMetrics = [{ scope: { name: 'calico' }, metrics }];
    return { resourceMetrics: { resource: emptyResource(), scopeMetrics }, errors };
  }
}

function dataOf({ name, description, read }: Gauge): GaugeMetricData {
  const now = hrTime();
  return {
    descriptor: { name, description, unit: '', valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.GAUGE,
    dataPoints: Array.from(read(), ({ value, labels }) => ({
      startTime: now,
      endTime: now,
      attributes: labels,
      value,
    })),
  };
}
