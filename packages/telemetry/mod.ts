export { HealthRegistry, type HealthReport } from './health.ts';
export type { HttpTls } from './http_server.ts';
export {
  createLogger,
  LOG_LEVELS,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  silentLogger,
} from './logger.ts';
export {
  type Counter,
  type Gauge,
  type Histogram,
  type Labels,
  type Metrics,
  noMetrics,
  type Reading,
} from './metrics.ts';
export { startTelemetry, type Telemetry, type TelemetryOptions } from './telemetry.ts';
export type { Tracing } from './tracing.ts';

/** Loads and starts the export of traces; costs about 50 ms, so only when it is asked for. */
export async function startTracing(service: string): Promise<import('./tracing.ts').Tracing> {
  const tracing = await import('./tracing.ts');
  return tracing.startTracing(service);
}
