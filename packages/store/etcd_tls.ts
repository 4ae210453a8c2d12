// TLS towards etcd members that are named by address.
import { addressIdentity } from '@calico/rpc';
import { credentials } from '@grpc/grpc-js';
import type { Etcd3 } from 'etcd3';

/** PEM texts. Without `ca` the system's authorities are trusted. */
export type EtcdTls = { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };

/** What etcd3 keeps per endpoint, and gives to each gRPC client that it makes when it is first needed. */
type Host = { host: string; channelCredentials: unknown; channelOptions: object };

/**
 * etcd3 hands grpc-js the endpoint's host as the name to ask for, also when it is an IP address: such an
 * endpoint is known by its address instead.
 */
export function checkAddresses(etcd: Etcd3, { ca, cert, key }: EtcdTls): void {
  const { hosts } = (etcd as unknown as { pool: { hosts: Host[] } }).pool;
  for (const endpoint of hosts) {
    const address = endpoint.host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    const identity = addressIdentity(address);
    if (identity === undefined) continue;
    const { servername, checkServerIdentity } = identity;
    endpoint.channelCredentials = credentials.createSsl(ca ?? null, key ?? null, cert ?? null, {
      checkServerIdentity,
    });
    endpoint.channelOptions = {
      ...endpoint.channelOptions,
      'grpc.ssl_target_name_override': servername,
    };
  }
}
