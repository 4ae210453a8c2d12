import { DeferredMetrics } from './deferred_metrics.ts';
import { HealthRegistry } from './health.ts';
import { type HttpTls, serveHttp } from './http_server.ts';
import type { Metrics } from './metrics.ts';
import type { Prometheus } from './prometheus.ts';

export type TelemetryOptions = {
  readonly service: string;
  /** `host:port`; port 0 takes a free one. */
  readonly httpListen: string;
  readonly tls?: HttpTls | undefined;
};

export type Telemetry = {
  readonly metrics: Metrics;
  readonly health: HealthRegistry;
  /** `host:port` with the port taken. */
  readonly httpAddress: string;
  /** Loads what counts, as the first question for metrics does: for when the start is over. */
  load(): Promise<void>;
  stop(): Promise<void>;
};

/** Metrics and health behind one HTTP listener. Throws when the address cannot be served. */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { service, httpListen, tls } = options;
  const { host, port } = parseHostPort(httpListen);
  const health = new HealthRegistry();
  const metrics = new DeferredMetrics();
  observeProcess(metrics);
  let loading: Promise<Prometheus> | undefined;
  const loaded = (): Promise<Prometheus> => (loading ??= loadFor(service, metrics));
  const http = await serveHttp({
    host,
    port,
    tls,
    health,
    metrics: async (request, response) => (await loaded()).answer(request, response),
  });
  return {
    metrics,
    health,
    httpAddress: `${host.includes(':') ? `[${host}]` : host}:${http.port}`,
    load: async () => void (await loaded()),
    stop: async () => {
      await http.close();
      await (await loading)?.stop();
    },
  };
}

async function loadFor(service: string, metrics: DeferredMetrics): Promise<Prometheus> {
  const { loadPrometheus } = await import('./prometheus.ts');
  const prometheus = await loadPrometheus(service);
  metrics.attach(prometheus.metrics);
  return prometheus;
}

function observeProcess(metrics: Metrics): void {
  const started = Date.now() / 1000 - process.uptime();
  metrics.observe(
    'process_start_time_seconds',
    'Start of the process since the epoch',
    () => started,
  );
  metrics.observe(
    'process_resident_memory_bytes',
    'Resident memory of the process',
    () => process.memoryUsage().rss,
  );
}

function parseHostPort(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]/]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match && port <= 65_535) return { host: match[1] ?? match[2] ?? '', port };
  throw new TypeError(`Cannot serve HTTP on "${text}": expected "host:port" or "[ipv6]:port"`);
}
