import { readFileSync } from 'node:fs';
import { ChannelCredentials, type ChannelOptions, ServerCredentials } from '@grpc/grpc-js';
import { addressIdentity } from './address_identity.ts';
import type { PemFiles } from './unary_channel.ts';

/** Paths of PEM files. With `ca` both ends prove who they are (mutual TLS). */
export type TlsFiles = {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
};

export function serverCredentials(tls: TlsFiles | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  if (tls.cert === undefined || tls.key === undefined) {
    throw new TypeError('Cannot serve TLS: both a certificate and a key file are needed');
  }
  const pair = { cert_chain: readPem(tls.cert), private_key: readPem(tls.key) };
  const ca = tls.ca === undefined ? null : readPem(tls.ca);
  return ServerCredentials.createSsl(ca, [pair], ca !== null);
}

/** The files' texts, for a connection that is made without grpc-js. */
export function readTlsFiles(tls: TlsFiles): PemFiles {
  const { ca, cert, key } = tls;
  return { ca: readPem(ca), cert: readPem(cert), key: readPem(key) };
}

/** @param host whom the server's certificate has to name: a host name or an IP address. */
export function clientCredentials(tls: TlsFiles | undefined, host: string): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new TypeError('Cannot use TLS: a certificate file and its key file go together');
  }
  const files = [readPem(tls.ca), readPem(tls.key), readPem(tls.cert)] as const;
  const identity = addressIdentity(host);
  if (identity === undefined) return ChannelCredentials.createSsl(...files);
  const { checkServerIdentity } = identity;
  return ChannelCredentials.createSsl(...files, { checkServerIdentity });
}

/** The name that a connection to `host` asks for, when it is not that of the host. */
export function tlsOptions(host: string): ChannelOptions {
  const identity = addressIdentity(host);
  return identity === undefined ? {} : { 'grpc.ssl_target_name_override': identity.servername };
}

function readPem(path: string): Buffer;
function readPem(path: string | undefined): Buffer | null;
function readPem(path: string | undefined): Buffer | null {
  if (path === undefined) return null;
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new TypeError(`Cannot read TLS file "${path}": ${(cause as Error).message}`, { cause });
  }
}
