import { readFileSync } from 'node:fs';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';

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

export function clientCredentials(tls: TlsFiles | undefined): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new TypeError('Cannot use TLS: a certificate file and its key file go together');
  }
  return ChannelCredentials.createSsl(readPem(tls.ca), readPem(tls.key), readPem(tls.cert));
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
