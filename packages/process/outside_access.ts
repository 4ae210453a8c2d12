// How etcd and NATS are spoken to, from their settings. Plain text is what `http://` and `nats://` ask
// for, so it is not refused; over a network it is said once in the log.
import { readFileSync } from 'node:fs';
import type { TlsFiles } from '@calico/rpc';
import { isLocal } from '@calico/rpc/listen_address';
import type { Logger } from '@calico/telemetry';
import type * as common from './common_settings.ts';
import { type Config, ConfigError } from './settings.ts';

type EtcdConfig = Config<typeof common.etcd>;
type NatsConfig = Config<typeof common.nats>;

/** What openEtcd() takes; paths of the files. */
export type EtcdAccess = {
  readonly endpoints: string[];
  readonly tls: TlsFiles | undefined;
  readonly requestTimeoutMs: number;
};

/** What connectBus() takes; paths of the files. */
export type NatsAccess = {
  readonly servers: string;
  readonly tls:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
      }
    | undefined;
  readonly token: string | undefined;
  readonly credentials: Uint8Array | undefined;
};

/** @throws ConfigError when the settings contradict each other */
export function etcdAccess(config: EtcdConfig, logger: Logger): EtcdAccess {
  const { etcdEndpoints, etcdCaCertFile: ca, etcdCertFile: cert, etcdKeyFile: key } = config;
  const problems = pairProblems('ETCD_CERT_FILE', cert, 'ETCD_KEY_FILE', key);
  const given = [ca, cert, key].some((path) => path !== undefined);
  for (const endpoint of etcdEndpoints) {
    const isPlain = endpoint.startsWith('http://');
    if (!isPlain && !endpoint.startsWith('https://')) {
      problems.push(
        `ETCD_ENDPOINTS="${endpoint}": expected "http://host:port" or "https://host:port"`,
      );
    } else if (isPlain && given) {
      problems.push(
        `ETCD_ENDPOINTS="${endpoint}": expected "https://", since TLS files for etcd are set`,
      );
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  warnOfPlainText(
    'etcd',
    etcdEndpoints.filter((endpoint) => endpoint.startsWith('http://')),
    'use https:// and set ETCD_CA_CERT_FILE, ETCD_CERT_FILE and ETCD_KEY_FILE',
    logger,
  );
  return {
    endpoints: [...etcdEndpoints],
    tls: given ? { ca, cert, key } : undefined,
    requestTimeoutMs: config.etcdTimeoutSeconds * 1_000,
  };
}

/** @throws ConfigError when the settings contradict each other */
export function natsAccess(config: NatsConfig, logger: Logger): NatsAccess {
  const { natsUrl, natsCaFile: ca, natsCertFile: cert, natsKeyFile: key } = config;
  const { natsToken: token, natsCredentialsFile } = config;
  const problems = pairProblems('NATS_CERT_FILE', cert, 'NATS_KEY_FILE', key);
  if (token !== undefined && natsCredentialsFile !== undefined) {
    problems.push('NATS_TOKEN, NATS_CREDENTIALS_FILE: set one of them');
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const servers = natsUrl.split(',').map((server) => server.trim());
  const isTls =
    [ca, cert, key].some((path) => path !== undefined) ||
    servers.some((server) => server.startsWith('tls://'));
  if (!isTls) {
    const advice = 'use tls:// or set NATS_CA_FILE, NATS_CERT_FILE and NATS_KEY_FILE';
    warnOfPlainText('NATS', servers, advice, logger);
  }
  return {
    servers: natsUrl,
    tls: isTls ? { ca, cert, key } : undefined,
    token,
    credentials: natsCredentialsFile === undefined ? undefined : readFileSync(natsCredentialsFile),
  };
}

function pairProblems(
  certName: string,
  cert: string | undefined,
  keyName: string,
  key: string | undefined,
): string[] {
  return (cert === undefined) === (key === undefined)
    ? []
    : [`${certName}, ${keyName}: set both or none`];
}

function warnOfPlainText(
  what: string,
  addresses: readonly string[],
  advice: string,
  logger: Logger,
): void {
  const urls = addresses.map(urlOf);
  const remote = urls.filter((url) => url === undefined || !isLocalHost(url.hostname));
  if (remote.length === 0) return;
  // Without user and password, which a URL may hold.
  const hosts = remote.map((url) => url?.host ?? 'unreadable address');
  logger.warn(`plain text to ${what} over a network: anybody on it can read and change it`, {
    hosts,
    advice,
  });
}

function urlOf(text: string): URL | undefined {
  const url = text.includes('://') ? text : `nats://${text}`;
  return URL.canParse(url) ? new URL(url) : undefined;
}

function isLocalHost(hostname: string): boolean {
  return isLocal({ kind: 'tcp', host: hostname.replace(/^\[|\]$/g, ''), port: 0 });
}
