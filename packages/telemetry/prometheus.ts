// OpenTelemetry's metrics as Prometheus reads them. Loaded late: 150 modules, a fifth of a service's start.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { createMetrics, type Metrics } from './metrics.ts';

export type Prometheus = {
  readonly metrics: Metrics;
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
  stop(): Promise<void>;
};

/** In turns with other work: each library by itself takes some ten milliseconds. */
export async function loadPrometheus(service: string): Promise<Prometheus> {
  await import('@opentelemetry/api');
  await turn();
  await import('@opentelemetry/core');
  await turn();
  const { resourceFromAttributes } = await import('@opentelemetry/resources');
  await turn();
  const { MeterProvider } = await import('@opentelemetry/sdk-metrics');
  await turn();
  const { PrometheusExporter } = await import('@opentelemetry/exporter-prometheus');
  const { PassingGauges } = await import('./passing_gauges.ts');
  const passing = new PassingGauges();
  const exporter = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    metricProducers: [passing],
  });
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    readers: [exporter],
  });
  return {
    metrics: createMetrics(provider, passing),
    answer: (request, response) => exporter.getMetricsRequestHandler(request, response),
    stop: () => provider.shutdown(),
  };
}
