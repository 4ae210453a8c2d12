import type { Clock } from '@calico/clock';
import {
  connectRpc,
  type DescService,
  type RpcClient,
  type RpcServer,
  type Served,
  serveRpc,
  type TlsFiles,
} from '@calico/rpc';
import type { HealthRegistry, Logger, Metrics } from '@calico/telemetry';

export type BaseConfig = {
  readonly listen: string;
  readonly httpListen: string;
  readonly insecure: boolean;
  readonly tls: TlsFiles | undefined;
};

/** What a service's main() gets. */
export type ServiceContext<C> = {
  readonly config: C & BaseConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly health: HealthRegistry;
  readonly clock: Clock;
  readonly version: string;
  /** Aborts when the process has been asked to stop, before the stop function runs. */
  readonly signal: AbortSignal;
  /** serveRpc() on the configured address with the configured security. */
  readonly serve: <const T extends readonly DescService[]>(
    ...services: { readonly [K in keyof T]: Served<T[K]> }
  ) => Promise<RpcServer>;
  /** connectRpc() with the configured security. */
  readonly connect: <S extends DescService>(service: S, target: string) => RpcClient<S>;
};

export function serviceContext<C>(
  parts: Omit<ServiceContext<C>, 'serve' | 'connect'>,
): ServiceContext<C> {
  const { logger, config } = parts;
  const { listen, tls, insecure } = config;
  return {
    ...parts,
    serve: (...services) => serveRpc({ services, listen, tls, insecure, logger }),
    connect: (service, target) => connectRpc(service, target, { tls, insecure }),
  };
}
