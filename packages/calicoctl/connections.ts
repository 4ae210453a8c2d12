// Clients of the services, opened when first used and closed together.
import type { ResourceService } from '@calico/proto/api/v1/resources';
import type { BgpService } from '@calico/proto/bgp/v1/bgp';
import type { FelixService } from '@calico/proto/felix/v1/felix';
import type { IpamAdminService } from '@calico/proto/ipam/v1/admin';
import type { IpamService } from '@calico/proto/ipam/v1/ipam';
import type { ClusterPolicyService } from '@calico/proto/status/v1/policy';
import type { StatusService } from '@calico/proto/status/v1/status';
import type { DescService, RpcClient } from '@calico/rpc';
import { CommandError } from './command_error.ts';
import { parseDuration } from './duration.ts';
import { SETTINGS, type Settings } from './settings.ts';

type Services = {
  api: typeof ResourceService;
  ipam: typeof IpamService;
  /** Of the same process as ipam. */
  ipamAdmin: typeof IpamAdminService;
  status: typeof StatusService;
  /** Of the same process as status. */
  policy: typeof ClusterPolicyService;
  /** The speaker of the node that this command runs on. */
  bgp: typeof BgpService;
  /** The agent of the node that this command runs on. */
  felix: typeof FelixService;
};

export type ServiceName = keyof Services;

export type Connections = {
  /**
   * Calls a service.
   * @throws CommandError when there is no answer from it, RpcError when the answer is a refusal
   */
  readonly ask: <K extends ServiceName, T>(
    service: K,
    call: (client: RpcClient<Services[K]>) => Promise<T>,
  ) => Promise<T>;
  readonly close: () => void;
};

// The libraries for gRPC are loaded only by commands that call a service: --help stays quick.
const DESCRIPTORS: { readonly [K in ServiceName]: () => Promise<Services[K]> } = {
  api: async () => (await import('@calico/proto/api/v1/resources')).ResourceService,
  ipam: async () => (await import('@calico/proto/ipam/v1/ipam')).IpamService,
  ipamAdmin: async () => (await import('@calico/proto/ipam/v1/admin')).IpamAdminService,
  status: async () => (await import('@calico/proto/status/v1/status')).StatusService,
  policy: async () => (await import('@calico/proto/status/v1/policy')).ClusterPolicyService,
  bgp: async () => (await import('@calico/proto/bgp/v1/bgp')).BgpService,
  felix: async () => (await import('@calico/proto/felix/v1/felix')).FelixService,
};

/** No answer from a service: it does not run, or the way to it is closed. */
export class NoAnswerError extends CommandError {
  /** It took the question, and has not answered in time: there is somebody. */
  readonly isThere: boolean;

  constructor(message: string, options: { cause: Error; advice: string; isThere: boolean }) {
    super(message, options);
    this.isThere = options.isThere;
  }
}

export function openConnections(settings: Settings): Connections {
  const open = new Map<ServiceName, RpcClient<DescService>>();
  return {
    ask: async (service, call) => {
      const { RpcError } = await import('@calico/rpc');
      const descriptor = await DESCRIPTORS[service]();
      const target = targetOf(service, settings);
      const client = open.get(service) ?? (await connect(descriptor, target, settings));
      open.set(service, client);
      try {
        return await call(client as RpcClient<Services[typeof service]>);
      } catch (cause) {
        if (!(cause instanceof RpcError) || !isNoAnswer(cause.code)) throw cause;
        throw noAnswer(service, target, cause.code, cause);
      }
    },
    close: () => {
      for (const client of open.values()) client.close();
      open.clear();
    },
  };
}

export function targetOf(service: ServiceName, settings: Settings): string {
  return isLocal(service)
    ? `unix:${settings.runDir}/${service}.sock`
    : settings[addressField(service)];
}

/** Of this node, behind a socket in the run directory. */
function isLocal(service: ServiceName): service is LocalService {
  return service === 'bgp' || service === 'felix';
}

type LocalService = 'bgp' | 'felix';

function addressField(service: Exclude<ServiceName, LocalService>) {
  if (service === 'policy') return 'statusAddress';
  return service === 'ipamAdmin' ? 'ipamAddress' : (`${service}Address` as const);
}

async function connect(
  service: DescService,
  target: string,
  { tlsCa, tlsCert, tlsKey, insecure, callTimeout }: Settings,
): Promise<RpcClient<DescService>> {
  const { connectRpc } = await import('@calico/rpc');
  const hasTls = tlsCa !== undefined || tlsCert !== undefined || tlsKey !== undefined;
  const tls = hasTls ? { ca: tlsCa, cert: tlsCert, key: tlsKey } : undefined;
  const timeoutMs = parseDuration(callTimeout);
  try {
    return connectRpc(service, target, { tls, insecure, timeoutMs });
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new CommandError(cause.message, {
      cause,
      advice: 'Set CALICO_TLS_CA, CALICO_TLS_CERT and CALICO_TLS_KEY, or CALICO_INSECURE=true.',
    });
  }
}

function isNoAnswer(code: string): boolean {
  return code === 'UNAVAILABLE' || code === 'DEADLINE_EXCEEDED';
}

function noAnswer(service: ServiceName, target: string, code: string, cause: Error): NoAnswerError {
  const variable = isLocal(service)
    ? SETTINGS.runDir.variable
    : SETTINGS[addressField(service)].variable;
  // Nothing gets lost on the way to a socket of this machine.
  const isThere = isLocal(service) && code === 'DEADLINE_EXCEEDED';
  return new NoAnswerError(
    `Cannot get an answer from ${service} at "${target}": ${detailsOf(cause)}`,
    {
      cause,
      isThere,
      advice: isThere
        ? `It runs, and is busy or stuck: see its log. ${SETTINGS.callTimeout.variable} says how long it is waited for.`
        : `Check that it runs; ${variable} says where it is looked for.`,
    },
  );
}

/** Without what grpc-js adds about name resolution when there was none. */
function detailsOf(cause: Error): string {
  return cause.message.replace(/\.? Resolution note: *$/, '');
}
