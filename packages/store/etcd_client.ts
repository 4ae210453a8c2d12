// The calls to etcd: reads and transactions over lean unary calls, streams and leases over etcd3 with its
// own policies switched off. What is retried, and for how long, is decided here, since a commit must
// never be sent twice.
import type { Clock } from '@calico/clock';
import { RenewedTlsFiles, TLS_FAILED } from '@calico/rpc/tls_files';
import { Etcd3, type IOptions } from 'etcd3';
import { storeError, wasNotSent } from './etcd_errors.ts';
import { EtcdKv } from './etcd_kv.ts';
import { type EtcdTls, secureEndpoints } from './etcd_tls.ts';

export type StoreLogger = {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
};

export type EtcdOptions = {
  /** `http://host:port` or `https://host:port`. */
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTls | undefined;
  readonly clock: Clock;
  readonly logger: StoreLogger;
  /** Longest time of one request. Default 3,000. */
  readonly requestTimeoutMs?: number;
  /** Time between proofs of life of an idle watch. Default 5,000. */
  readonly watchProbeMs?: number;
};

export type Call<T> = (
  services: { readonly kv: EtcdKv; readonly leaseClient: Etcd3['leaseClient'] },
  options: RequestOptions,
) => Promise<T>;

export type RequestOptions = {
  readonly deadline: number;
  readonly timeoutMs: number;
  /** Of a read: takes it back. A write that was sent runs on, whatever its caller does. */
  readonly signal: AbortSignal | undefined;
};

type Policies = NonNullable<IOptions['faultHandling']>;

const REFUSE_NONE = { execute: async (run: () => unknown) => await run() };

export class EtcdClient {
  readonly etcd: Etcd3;
  readonly #kv: EtcdKv;
  readonly clock: Clock;
  readonly logger: StoreLogger;
  readonly requestTimeoutMs: number;
  readonly watchProbeMs: number;
  readonly #attempts: number;
  #reachable: boolean | undefined;

  constructor(options: EtcdOptions) {
    const { endpoints, tls, clock, logger } = options;
    this.clock = clock;
    this.logger = logger;
    this.requestTimeoutMs = options.requestTimeoutMs ?? 3_000;
    this.watchProbeMs = options.watchProbeMs ?? 5_000;
    // One more than there are endpoints: the first failure may only show a connection long dead.
    this.#attempts = endpoints.length + 1;
    const isTls = endpoints[0]?.startsWith('https:') === true;
    const onFailed = (reason: string): void => logger.warn(TLS_FAILED, { target: 'etcd', reason });
    const files = isTls ? new RenewedTlsFiles(tls ?? {}, { onFailed }) : undefined;
    this.#kv = new EtcdKv(endpoints, files);
    this.etcd = new Etcd3({
      hosts: [...endpoints],
      faultHandling: { host: () => REFUSE_NONE, global: REFUSE_NONE } as unknown as Policies,
      grpcOptions: {
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 1_000,
        'grpc.dns_min_time_between_resolutions_ms': 1_000,
        // etcd closes connections that ping more often than every 5 s.
        'grpc.keepalive_time_ms': 10_000,
        'grpc.keepalive_timeout_ms': 5_000,
        'grpc.enable_http_proxy': 0,
        'grpc.enable_retries': 0,
        'grpc.service_config_disable_resolution': 1,
        'grpc.max_receive_message_length': -1,
        'grpc.max_send_message_length': -1,
      },
    });
    if (files !== undefined) secureEndpoints(this.etcd, files);
  }

  /** A request that changes nothing: tried on every endpoint within the time limit. */
  read<T>(action: string, call: Call<T>, signal?: AbortSignal, revision?: bigint): Promise<T> {
    return this.#run(action, call, { writes: false, signal, revision });
  }

  /** A request that may change something: tried again only if it was certainly never sent. */
  write<T>(action: string, call: Call<T>, signal?: AbortSignal): Promise<T> {
    return this.#run(action, call, { writes: true, signal });
  }

  close(): void {
    this.#kv.close();
    this.etcd.close();
  }

  /** Says so in the log when etcd goes away or comes back. */
  noteReachable(reachable: boolean, reason?: string): void {
    if (this.#reachable === reachable) return;
    const first = this.#reachable === undefined;
    this.#reachable = reachable;
    if (!reachable) this.logger.warn('etcd is unreachable', { reason });
    else if (!first) this.logger.info('etcd is reachable again');
  }

  async #run<T>(
    action: string,
    call: Call<T>,
    options: { writes: boolean; signal?: AbortSignal | undefined; revision?: bigint | undefined },
  ): Promise<T> {
    const { writes, signal, revision } = options;
    const start = this.clock.monotonic();
    const services = { kv: this.#kv, leaseClient: this.etcd.leaseClient };
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      const timeoutMs = Math.max(1, start + this.requestTimeoutMs - this.clock.monotonic());
      const deadline = this.clock.now() + timeoutMs;
      try {
        const request = { deadline, timeoutMs, signal: writes ? undefined : signal };
        const answer = await abortable(call(services, request), signal);
        this.noteReachable(true);
        return answer;
      } catch (error) {
        if (signal?.aborted) throw error;
        const failure = storeError(error, action, writes, revision);
        if (failure.name !== 'StoreUnavailable') throw failure;
        const harmless = !writes || wasNotSent(error);
        const isInTime = this.clock.monotonic() - start < this.requestTimeoutMs;
        if (harmless && attempt < this.#attempts && isInTime) continue;
        this.noteReachable(false, failure.message);
        throw failure;
      }
    }
  }
}

/** The caller waits no longer. A write goes on: whether it has taken effect is unknown by then. */
async function abortable<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await answer;
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([answer, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    answer.catch(() => {});
  }
}
