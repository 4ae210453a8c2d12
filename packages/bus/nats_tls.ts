// TLS towards NATS.
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { ConnectBusOptions } from './connect_bus.ts';

type Files = NonNullable<ConnectBusOptions['tls']>;

/**
 * Options of the client's TLS. A server that is named by its address has no name that the client
 * could hand to the check of its certificate, so the certificate has to name one of `servers`.
 */
export function tlsOptions({ ca, cert, key }: Files, servers: readonly string[]) {
  const hosts = servers.map(hostOf);
  return {
    ...(ca === undefined ? {} : { caFile: ca }),
    ...(cert === undefined ? {} : { certFile: cert }),
    ...(key === undefined ? {} : { keyFile: key }),
    checkServerIdentity: (_name: string, certificate: PeerCertificate): Error | undefined => {
      const refusals = hosts.map((host) => checkServerIdentity(host, certificate));
      return refusals.includes(undefined) ? undefined : refusals[0];
    },
  };
}

/** @param server `nats://user@host:port`, `host:port` or `host` */
export function hostOf(server: string): string {
  const url = server.includes('://') ? server : `nats://${server}`;
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : server;
}
