// TLS towards etcd members.
import { clientCredentials, tlsOptions } from '@calico/rpc';
import type { RenewedTlsFiles } from '@calico/rpc/tls_files';
import type { Etcd3 } from 'etcd3';

/** Paths of PEM files. Without `ca` the system's authorities are trusted. */
export type { TlsFiles as EtcdTls } from '@calico/rpc';

/** What etcd3 keeps per endpoint, and gives to each gRPC client that it makes when it is first needed. */
type Host = { host: string; channelCredentials: unknown; channelOptions: object };

/**
 * etcd3 keeps the texts of the files as they were, and hands grpc-js the endpoint's host as the name to ask
 * for, also when it is an IP address. Here each connection begins with the files as they are then, and such
 * an endpoint is known by its address.
 */
export function secureEndpoints(etcd: Etcd3, files: RenewedTlsFiles): void {
  const { hosts } = (etcd as unknown as { pool: { hosts: Host[] } }).pool;
  for (const endpoint of hosts) {
    const host = endpoint.host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    endpoint.channelCredentials = clientCredentials(files, host);
    endpoint.channelOptions = { ...endpoint.channelOptions, ...tlsOptions(host) };
  }
}
