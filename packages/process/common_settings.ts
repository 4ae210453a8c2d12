// Settings that several services share, under the names they have everywhere.
import { LOG_LEVELS } from '@calico/telemetry';
import { z } from 'zod';
import { flag, list, type Setting, setting } from './settings.ts';

const text = z.string();

export const nodeName = setting('CALICO_NODENAME', text, "This node's name in the cluster");

export const runDir = setting(
  'CALICO_RUN_DIR',
  text.default('/var/run/calico'),
  'Directory of unix sockets and other state that a reboot may lose',
);

export const libDir = setting(
  'CALICO_LIB_DIR',
  text.default('/var/lib/calico'),
  'Directory of state that survives a reboot',
);

export const etcdEndpoints = setting(
  'ETCD_ENDPOINTS',
  list.default(['http://127.0.0.1:2379']),
  'etcd endpoints, comma-separated',
);

export const natsUrl = setting(
  'NATS_URL',
  text.default('nats://127.0.0.1:4222'),
  'NATS servers, comma-separated',
);

export const apiAddress = clientOf('CALICO_API_ADDRESS', 'api', '127.0.0.1:5671');
export const ipamAddress = clientOf('CALICO_IPAM_ADDRESS', 'ipam', '127.0.0.1:5672');
export const statusAddress = clientOf('CALICO_STATUS_ADDRESS', 'status', '127.0.0.1:5673');

function clientOf(
  env: string,
  service: string,
  preset: string,
): Setting<z.ZodDefault<z.ZodString>> {
  return setting(
    env,
    text.default(preset),
    `Where the ${service} service is: unix:/path or host:port`,
  );
}

export type BaseDefaults = {
  /** `$CALICO_RUN_DIR` in it stands for that setting. */
  readonly listen: string;
  readonly httpListen: string;
};

/** The settings every service has. */
export function baseSettings({ listen, httpListen }: BaseDefaults) {
  return {
    listen: setting(
      'CALICO_LISTEN',
      text.default(listen),
      'Own gRPC address: unix:/path or host:port',
    ),
    httpListen: setting(
      'CALICO_HTTP_LISTEN',
      text.default(httpListen),
      'Address of /metrics, /liveness, /readiness',
    ),
    insecure: setting(
      'CALICO_INSECURE',
      flag.default(false),
      'Allow plain text on and to addresses that are not local; as --insecure',
    ),
    tlsCa: setting('CALICO_TLS_CA', text.optional(), 'PEM file: who signs the peers'),
    tlsCert: setting('CALICO_TLS_CERT', text.optional(), 'PEM file: own certificate'),
    tlsKey: setting('CALICO_TLS_KEY', text.optional(), 'PEM file: own private key'),
    logLevel: setting(
      'CALICO_LOG_LEVEL',
      z.enum(LOG_LEVELS, { error: `expected one of ${LOG_LEVELS.join(', ')}` }).default('info'),
      'How much is logged',
    ),
    otlpEndpoint: setting(
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      text.optional(),
      'Where traces go (OTLP over HTTP)',
    ),
  };
}
