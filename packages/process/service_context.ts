import type { Clock } from '@calico/clock';
import type { DescService, RpcClient, RpcServer, Served, TlsFiles } from '@calico/rpc';
import { parseListenAddress, securityOf } from '@calico/rpc/listen_address';
import type { HealthRegistry, Logger, Metrics } from '@calico/telemetry';

export type BaseConfig = {
  readonly listen: string;
  readonly httpListen: string;
  readonly insecure: boolean;
  readonly tls: TlsFiles | undefined;
};

/** What a service's main() gets. gRPC is loaded by the first serve() or connect(). */
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
  /** Throws what connect() would: TypeError when the target would need TLS and has none. */
  readonly checkTarget: (target: string) => void;
  /** connectRpc() with the configured security. */
  readonly connect: <S extends DescService>(service: S, target: string) => Promise<RpcClient<S>>;
};

export function serviceContext<C>(
  parts: Omit<ServiceContext<C>, 'serve' | 'connect' | 'checkTarget'>,
): ServiceContext<C> {
  const { logger, config } = parts;
  const { listen, tls, insecure } = config;
  return {
    ...parts,
    serve: async (...services) => {
      const { serveRpc } = await import('@calico/rpc');
      return serveRpc({ services, listen, tls, insecure, logger });
    },
    checkTarget: (target) => {
      securityOf(parseListenAddress(target), { tls: tls !== undefined, insecure }, 'connect to');
    },
    connect: async (service, target) => {
      const { connectRpc } = await import('@calico/rpc');
      return connectRpc(service, target, { tls, insecure, logger });
    },
  };
}
