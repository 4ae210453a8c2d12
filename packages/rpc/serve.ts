import type { DescService } from '@bufbuild/protobuf';
import { Server, type ServerCredentials } from '@grpc/grpc-js';
import { MOST_REQUEST_BYTES, SERVER_OPTIONS } from './channel_options.ts';
import { renewListeners, serverCredentials, type TlsFiles } from './credentials.ts';
import { addService, type RpcLogger, type ServiceHandlers } from './handlers.ts';
import { addHealth } from './health.ts';
import {
  formatListenAddress,
  type ListenAddress,
  parseListenAddress,
  type Security,
  securityOf,
} from './listen_address.ts';
import { addReflection } from './reflection.ts';
import type { UnaryRoute } from './served_call.ts';
import { RenewedTlsFiles, TLS_FAILED } from './tls_files.ts';
import { ShortConnections, takeUnaryCalls, type UnaryRoutes } from './unary_server.ts';
import { claimSocketPath, protectSocket } from './unix_socket.ts';

export type Served<S extends DescService> = readonly [service: S, handlers: ServiceHandlers<S>];

export type ServeOptions<T extends readonly DescService[]> = {
  readonly services: { readonly [K in keyof T]: Served<T[K]> };
  /** `unix:/path` or `host:port` (port 0 takes a free one); several are separated by commas. */
  readonly listen: string;
  readonly tls?: TlsFiles | undefined;
  /** Allows plain text on an address that is not local. */
  readonly insecure: boolean;
  readonly logger: RpcLogger;
};

export type RpcServer = {
  /** Where it listens first: `unix:/path` or `host:port` with the port taken. */
  readonly address: string;
  readonly security: Security;
  /** What grpc.health.v1 answers from now on. */
  setServing(serving: boolean): void;
  /** Ends streams, lets unary calls finish for up to `graceMs`, then drops what is left. */
  stop(graceMs?: number): Promise<void>;
};

type Bound = Pick<RpcServer, 'address' | 'security'>;

/**
 * Serves the services with grpc.health.v1 and reflection. Resolves when it listens.
 * Throws TypeError when the address would need TLS and has none.
 */
export async function serveRpc<const T extends readonly DescService[]>(
  options: ServeOptions<T>,
): Promise<RpcServer> {
  const { tls, insecure, logger } = options;
  const services = options.services as readonly Served<DescService>[];
  const files = tls === undefined ? undefined : renewedFiles(tls, options);
  const pem = files?.current();
  const listeners = options.listen.split(',').map((text) => {
    const address = parseListenAddress(text.trim());
    const security = securityOf(address, { tls: tls !== undefined, insecure }, 'listen on');
    const credentials = serverCredentials(security === 'tls' ? pem : undefined);
    return { address, security, credentials };
  });
  const server = new Server(SERVER_OPTIONS);
  const stopping = new AbortController();
  const routes = new Map<string, UnaryRoute>();
  for (const [service, handlers] of services) {
    const added = addService(server, service, handlers, { logger, stopping: stopping.signal });
    for (const [path, route] of added) routes.set(path, route);
  }
  const descriptors = services.map(([service]) => service);
  const short = new ShortConnections();
  const health = addHealth(server, descriptors);
  addReflection(server, descriptors);
  const bound: Bound[] = [];
  for (const { address, security, credentials } of listeners) {
    bound.push({ address: await bind(server, address, credentials, { routes, short }), security });
  }
  if (files !== undefined && pem !== undefined) renewListeners(server, files, pem);
  health(true);
  for (const listener of bound) logger.info('listening', listener);
  const [first] = bound as [Bound];
  return {
    ...first,
    setServing: health,
    stop: async (graceMs = 2_000) => {
      health(false);
      stopping.abort();
      await shutDown(server, short, graceMs);
    },
  };
}

function renewedFiles(
  tls: TlsFiles,
  { listen, logger }: Pick<ServeOptions<[]>, 'listen' | 'logger'>,
): RenewedTlsFiles {
  return new RenewedTlsFiles(tls, {
    onRenewed: () => logger.info('TLS files have changed, new connections use them'),
    onFailed: (reason) => logger.error(TLS_FAILED, { listen, reason }),
  });
}

async function bind(
  server: Server,
  address: ListenAddress,
  credentials: ServerCredentials,
  { routes, short }: { readonly routes: UnaryRoutes; readonly short: ShortConnections },
): Promise<string> {
  const text = formatListenAddress(address);
  if (address.kind === 'unix') await claimSocketPath(address.path);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(text, credentials, (error, taken) => {
      if (error) {
        reject(new Error(`Cannot listen on "${text}": ${error.message}`, { cause: error }));
      } else {
        takeUnaryCalls(server, routes, MOST_REQUEST_BYTES, short);
        resolve(taken);
      }
    });
  });
  if (address.kind === 'tcp') return formatListenAddress({ ...address, port });
  protectSocket(address.path);
  return text;
}

async function shutDown(server: Server, short: ShortConnections, graceMs: number): Promise<void> {
  short.leave();
  await new Promise<void>((resolve) => {
    const force = setTimeout(() => {
      short.destroy();
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
