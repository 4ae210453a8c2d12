// TLS towards NATS.
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { RenewedTlsFiles, TLS_FAILED } from '@calico/rpc/tls_files';
import type { ConnectBusOptions } from './connect_bus.ts';

/**
 * Asked at each connection for the options of the client's TLS. A server that is named by its address has
 * no name that the client could hand to the check of its certificate, so the certificate has to name one
 * of the servers. Throws TypeError that names a file which cannot be read.
 */
export function natsTls({
  tls,
  servers,
  logger,
}: Pick<ConnectBusOptions, 'tls' | 'servers' | 'logger'>) {
  if (tls === undefined) return undefined;
  const hosts = servers.split(',').map((server) => hostOf(server.trim()));
  const files = new RenewedTlsFiles(tls, {
    onFailed: (reason) => logger.error(TLS_FAILED, { target: 'nats', reason }),
  });
  return () => {
    const { ca, cert, key } = files.current();
    return {
      ...(ca == null ? {} : { ca: String(ca) }),
      ...(cert == null ? {} : { cert: String(cert) }),
      ...(key == null ? {} : { key: String(key) }),
      checkServerIdentity: (_name: string, certificate: PeerCertificate): Error | undefined => {
        const refusals = hosts.map((host) => checkServerIdentity(host, certificate));
        return refusals.includes(undefined) ? undefined : refusals[0];
      },
    };
  };
}

/** @param server `nats://user@host:port`, `host:port` or `host` */
export function hostOf(server: string): string {
  const url = server.includes('://') ? server : `nats://${server}`;
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : server;
}
