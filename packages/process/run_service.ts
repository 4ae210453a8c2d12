// The life of a service process: arguments and environment -> config -> telemetry -> main -> signals.
import nodeModule from 'node:module';
import { systemClock } from '@calico/clock';
import type { TlsFiles } from '@calico/rpc';
import { parseListenAddress, securityOf } from '@calico/rpc/listen_address';
import { RenewedTlsFiles, TLS_FAILED } from '@calico/rpc/tls_files';
import {
  createLogger,
  type HttpTls,
  type Logger,
  startTelemetry,
  startTracing,
} from '@calico/telemetry';
import { baseSettings } from './common_settings.ts';
import { type Host, processHost, type StopSignal } from './host.ts';
import { type BaseConfig, type ServiceContext, serviceContext } from './service_context.ts';
import {
  type Config,
  ConfigError,
  describeSettings,
  readSettings,
  type Settings,
} from './settings.ts';
import { VERSION } from './version.ts';

/** sysexits.h: what a supervisor may tell apart. */
export const EXIT = { ok: 0, failure: 1, usage: 64, config: 78 } as const;

/** Stop functions that take longer are abandoned. */
const STOP_LIMIT_MS = 10_000;
/** So long after its start a service has better things to do than what can wait. */
const SETTLING_MS = 1_000;

export type Service<S extends Settings> = {
  readonly name: string;
  /** One line for --help. */
  readonly summary: string;
  /** Defaults of CALICO_LISTEN and CALICO_HTTP_LISTEN; `$CALICO_RUN_DIR` is replaced. */
  readonly listen: string;
  readonly httpListen: string;
  readonly settings: S;
  /**
   * Starts the service and answers what stops it. Dependencies that are away are waited for in the
   * background, not here: only a mistake in the configuration may make it throw, ConfigError for
   * one that the settings show.
   */
  readonly main: (context: ServiceContext<Config<S>>) => Promise<() => Promise<void>>;
};

type FullConfig<S extends Settings> = Config<S> &
  Config<ReturnType<typeof baseSettings>> &
  BaseConfig;

/** Runs a service until SIGTERM or SIGINT and ends the process. */
export async function runService<const S extends Settings>(
  service: Service<S>,
  host: Host = processHost,
): Promise<void> {
  const settings = { ...baseSettings(service), ...service.settings };
  const answer = readArguments(service, settings, host.arguments);
  if (answer.kind === 'exit') {
    if (answer.code === EXIT.ok) host.stdout(answer.text);
    else host.stderr(answer.text);
    return host.exit(answer.code);
  }
  let config: FullConfig<S>;
  try {
    config = readConfig<S>(settings, host.environment, answer.insecure);
  } catch (error) {
    host.stderr(`${service.name}: ${(error as Error).message}\n`);
    return host.exit(EXIT.config);
  }
  const logger = createLogger({ service: service.name, level: config.logLevel });
  host.exit(await live(service, config, logger, host));
}

/** Everything between a valid configuration and the exit code. */
async function live<S extends Settings>(
  service: Service<S>,
  config: FullConfig<S>,
  logger: Logger,
  host: Host,
): Promise<number> {
  const stopping = new AbortController();
  const asked = watchSignals(stopping, host);
  host.onFault((error) => {
    logger.error('stopping on a fault of this program', { error });
    host.exit(EXIT.failure);
  });
  // What has been started, to be stopped in reverse order.
  const started: (() => Promise<void>)[] = [];
  try {
    const telemetry = await startObserving(service.name, config, logger, started);
    const { health, metrics, security, httpAddress } = telemetry;
    health.report('startup', { live: true, ready: false });
    const parts = { config, logger, metrics, health, clock: systemClock, version: VERSION };
    started.push(await service.main(serviceContext({ ...parts, signal: stopping.signal })));
    health.report('startup', { live: true, ready: true });
    const startMs = Math.round(host.uptimeMs());
    logger.info('started', { version: VERSION, http: httpAddress, security, startMs });
    started.push(settleLater(() => telemetry.load()));
    const signal = await asked;
    logger.info('stopping', { signal });
    health.report('startup', { live: true, ready: false, detail: 'stopping' });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const isSetting = error instanceof ConfigError;
    if (isSetting) host.stderr(`${service.name}: ${message}\n`);
    else logger.error(`cannot start: ${message}`, { error });
    stopping.abort(error);
    await stopAll(started, logger);
    return isSetting ? EXIT.config : EXIT.failure;
  }
  const inTime = await stopAll(started, logger);
  logger.info('stopped');
  return inTime ? EXIT.ok : EXIT.failure;
}

async function startObserving(
  name: string,
  { httpListen, tls, insecure, otlpEndpoint }: FullConfig<Settings>,
  logger: Logger,
  started: (() => Promise<void>)[],
) {
  const address = parseListenAddress(httpListen);
  const security = securityOf(address, { tls: tls !== undefined, insecure }, 'listen on');
  if (otlpEndpoint !== undefined) {
    const tracing = await startTracing(name);
    const { installCallTracing } = await import('@calico/rpc');
    installCallTracing(tracing);
    started.push(() => tracing.stop());
  }
  const onFailed = (reason: string): void => logger.error(TLS_FAILED, { httpListen, reason });
  const telemetry = await startTelemetry({
    service: name,
    httpListen,
    // readConfig() has seen to it that there are both files.
    tls: security === 'tls' ? (new RenewedTlsFiles(tls ?? {}, { onFailed }) as HttpTls) : undefined,
  });
  started.push(() => telemetry.stop());
  return { ...telemetry, security };
}

/** What a start does not wait for. Answers what calls it off. */
function settleLater(load: () => Promise<void>): () => Promise<void> {
  const cancel = systemClock.setTimer(SETTLING_MS, () => {
    void load();
    // Also for the start after a crash, which writes nothing any more. Absent in Deno.
    nodeModule.flushCompileCache?.();
  });
  return async () => cancel();
}

function watchSignals(stopping: AbortController, host: Host): Promise<StopSignal> {
  return new Promise((resolve) => {
    host.onSignal((signal) => {
      // Asked twice: somebody is impatient.
      if (stopping.signal.aborted) return host.exit(EXIT.failure);
      stopping.abort(new Error(`stopping on ${signal}`));
      resolve(signal);
    });
  });
}

/** False when it took too long or something failed to stop. */
async function stopAll(started: (() => Promise<void>)[], logger: Logger): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const cancel = systemClock.setTimer(STOP_LIMIT_MS, () => late.resolve(false));
  const run = async (): Promise<boolean> => {
    for (const stop of started.toReversed()) await stop();
    return true;
  };
  try {
    const inTime = await Promise.race([run(), late.promise]);
    if (!inTime) logger.error('abandoning the stop: it takes too long', { limitMs: STOP_LIMIT_MS });
    return inTime;
  } catch (error) {
    logger.error('cannot stop in order', { error });
    return false;
  } finally {
    cancel();
  }
}

type Arguments =
  | { readonly kind: 'run'; readonly insecure: boolean }
  | { readonly kind: 'exit'; readonly code: number; readonly text: string };

function readArguments<S extends Settings>(
  { name, summary }: Service<S>,
  settings: Settings,
  given: readonly string[],
): Arguments {
  let insecure = false;
  for (const argument of given) {
    if (argument === '--insecure') {
      insecure = true;
    } else if (argument === '--help' || argument === '-h') {
      const usage = `Usage: ${name} [--insecure] [--version] [--help]`;
      const text = `${name}: ${summary}\n\n${usage}\n\nEnvironment:\n${describeSettings(settings)}`;
      return { kind: 'exit', code: EXIT.ok, text };
    } else if (argument === '--version') {
      return { kind: 'exit', code: EXIT.ok, text: `${name} ${VERSION}\n` };
    } else {
      const text = `${name}: Cannot use argument "${argument}": expected --insecure, --version or --help\n`;
      return { kind: 'exit', code: EXIT.usage, text };
    }
  }
  return { kind: 'run', insecure };
}

function readConfig<S extends Settings>(
  settings: Settings,
  environment: Host['environment'],
  insecure: boolean,
): FullConfig<S> {
  const read = readSettings(settings, environment) as Config<S> &
    Config<ReturnType<typeof baseSettings>>;
  const tls: TlsFiles = { ca: read.tlsCa, cert: read.tlsCert, key: read.tlsKey };
  const given = Object.values(tls).some((path) => path !== undefined);
  if (given && (tls.cert === undefined || tls.key === undefined)) {
    throw new ConfigError(['CALICO_TLS_CERT, CALICO_TLS_KEY: set both or none']);
  }
  const runDir = environment['CALICO_RUN_DIR'] || '/var/run/calico';
  return {
    ...read,
    listen: read.listen.replace('$CALICO_RUN_DIR', () => runDir),
    insecure: read.insecure || insecure,
    tls: given ? tls : undefined,
  };
}
