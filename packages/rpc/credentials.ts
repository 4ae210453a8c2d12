import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { ChannelCredentials, type ChannelOptions, ServerCredentials } from '@grpc/grpc-js';
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
  if (isIP(host) === 0) return ChannelCredentials.createSsl(...files);
  return ChannelCredentials.createSsl(...files, {
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  });
}

/**
 * Server name indication takes no IP addresses (RFC 6066 section 3; Deno refuses them): such a
 * target goes without a name of its own, and its certificate is checked against the address.
 */
export function tlsOptions(host: string): ChannelOptions {
  return isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'address.invalid' };
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
