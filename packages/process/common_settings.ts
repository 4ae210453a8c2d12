// Settings that several services share, under the names they have everywhere.
import { readFileSync } from 'node:fs';
import { LOG_LEVELS } from '@calico/telemetry';
import { z } from 'zod';
import { flag, list, type Setting, setting } from './settings.ts';

const text = z.string();

/** Path of a file that can be read and holds a PEM block whose label ends so. */
function pemFile(label: 'CERTIFICATE' | 'PRIVATE KEY') {
  return readableFile((content) =>
    content.includes(`${label}-----`) ? undefined : `expected a PEM file with a ${label}`,
  );
}

function readableFile(problemOf: (content: string) => string | undefined = () => undefined) {
  return text.optional().superRefine((path, context) => {
    if (path === undefined) return;
    const message = problemOfFile(path, problemOf);
    if (message !== undefined) context.addIssue({ code: 'custom', message, input: path });
  });
}

function problemOfFile(
  path: string,
  problemOf: (content: string) => string | undefined,
): string | undefined {
  try {
    return problemOf(readFileSync(path, 'utf8'));
  } catch (cause) {
    return `cannot be read: ${(cause as Error).message}`;
  }
}

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

/** Where etcd is and how it is spoken to; see etcdAccess(). */
export const etcd = {
  etcdEndpoints: setting(
    'ETCD_ENDPOINTS',
    list.default(['http://127.0.0.1:2379']),
    'etcd endpoints, comma-separated: http://host:port or https://host:port',
  ),
  etcdCaCertFile: setting(
    'ETCD_CA_CERT_FILE',
    pemFile('CERTIFICATE'),
    'PEM file: who signs the certificates of etcd; unset: whom the system trusts',
  ),
  etcdCertFile: setting(
    'ETCD_CERT_FILE',
    pemFile('CERTIFICATE'),
    'PEM file: own certificate towards etcd',
  ),
  etcdKeyFile: setting(
    'ETCD_KEY_FILE',
    pemFile('PRIVATE KEY'),
    'PEM file: own private key towards etcd',
  ),
  etcdTimeoutSeconds: setting(
    'ETCD_TIMEOUT_SECONDS',
    z.coerce.number('expected whole seconds from 1 to 60').int().min(1).max(60).default(3),
    'How long etcd may take for an answer; more where machines are slow, the same for all services',
  ),
};

/** Where NATS is and how it is spoken to; see natsAccess(). */
export const nats = {
  natsUrl: setting(
    'NATS_URL',
    text.default('nats://127.0.0.1:4222'),
    'NATS servers, comma-separated: nats://host:port or tls://host:port',
  ),
  natsCaFile: setting(
    'NATS_CA_FILE',
    pemFile('CERTIFICATE'),
    'PEM file: who signs the certificates of NATS; unset: whom the system trusts',
  ),
  natsCertFile: setting(
    'NATS_CERT_FILE',
    pemFile('CERTIFICATE'),
    'PEM file: own certificate towards NATS',
  ),
  natsKeyFile: setting(
    'NATS_KEY_FILE',
    pemFile('PRIVATE KEY'),
    'PEM file: own private key towards NATS',
  ),
  natsToken: setting('NATS_TOKEN', text.optional(), 'Token that NATS asks for'),
  natsCredentialsFile: setting(
    'NATS_CREDENTIALS_FILE',
    readableFile(),
    'File with the JWT and seed that NATS asks for (.creds)',
  ),
};

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
    tlsCa: setting('CALICO_TLS_CA', pemFile('CERTIFICATE'), 'PEM file: who signs the peers'),
    tlsCert: setting('CALICO_TLS_CERT', pemFile('CERTIFICATE'), 'PEM file: own certificate'),
    tlsKey: setting('CALICO_TLS_KEY', pemFile('PRIVATE KEY'), 'PEM file: own private key'),
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
