import type { Server as TlsServer } from 'node:tls';
import {
  type CallCredentials,
  ChannelCredentials,
  type ChannelOptions,
  type Server,
  ServerCredentials,
} from '@grpc/grpc-js';
import { addressIdentity } from './address_identity.ts';
import { contextOptions, type RenewedTlsFiles } from './tls_files.ts';
import type { PemFiles } from './unary_channel.ts';

/** Paths of PEM files. With `ca` both ends prove who they are (mutual TLS). */
export type TlsFiles = {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
};

export function serverCredentials(pem: PemFiles | undefined): ServerCredentials {
  if (pem === undefined) return ServerCredentials.createInsecure();
  const { ca = null, cert, key } = pem;
  if (cert == null || key == null) {
    throw new TypeError('Cannot serve TLS: both a certificate and a key file are needed');
  }
  const pair = { cert_chain: cert, private_key: key };
  return ServerCredentials.createSsl(ca, [pair], ca !== null);
}

/**
 * From now on the server's TLS listeners take each connection with the files as they are then. Where
 * grpc-js keeps its listeners elsewhere, or the runtime cannot change theirs, they stay as they are.
 * @param first what the listeners were made with
 */
export function renewListeners(server: Server, files: RenewedTlsFiles, first: PemFiles): void {
  // As grpc-js has it; it would be lost with what is not said again.
  const ciphers = process.env['GRPC_SSL_CIPHER_SUITES'];
  const { http2Servers } = server as unknown as {
    http2Servers?: ReadonlyMap<Partial<Pick<TlsServer, 'setSecureContext'>> & TlsServer, unknown>;
  };
  for (const listener of http2Servers?.keys() ?? []) {
    if (listener.listenerCount('secureConnection') === 0) continue;
    let used = first;
    // Before that of node:tls, which begins TLS.
    listener.prependListener('connection', () => {
      const now = files.current();
      if (now === used) return;
      listener.setSecureContext?.({
        ...contextOptions(now),
        ...(ciphers === undefined ? {} : { ciphers }),
      });
      used = now;
    });
  }
}

/** @param host whom the server's certificate has to name: a host name or an IP address. */
export function clientCredentials(
  files: RenewedTlsFiles | undefined,
  host: string,
): ChannelCredentials {
  if (files === undefined) return ChannelCredentials.createInsecure();
  const { cert, key } = files.current();
  if ((cert == null) !== (key == null)) {
    throw new TypeError('Cannot use TLS: a certificate file and its key file go together');
  }
  return new RenewedChannelCredentials(files, host);
}

type Connecting = Parameters<ChannelCredentials['_createSecureConnector']>;
type Connector = ReturnType<ChannelCredentials['_createSecureConnector']>;

/** Begins each connection with the files as they are then. */
class RenewedChannelCredentials extends ChannelCredentials {
  readonly #files: RenewedTlsFiles;
  readonly #host: string;
  #used: { readonly pem: PemFiles; readonly credentials: ChannelCredentials } | undefined;

  constructor(files: RenewedTlsFiles, host: string) {
    super();
    this.#files = files;
    this.#host = host;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }

  override _createSecureConnector(...[target, options, call]: Connecting): Connector {
    const connector = (): Connector => this.#now()['_createSecureConnector'](target, options, call);
    const first = connector();
    return {
      connect: (socket) => connector().connect(socket),
      waitForReady: () => first.waitForReady(),
      getCallCredentials: (): CallCredentials => first.getCallCredentials(),
      destroy: () => first.destroy(),
    };
  }

  #now(): ChannelCredentials {
    const pem = this.#files.current();
    if (this.#used?.pem !== pem) this.#used = { pem, credentials: sslOf(pem, this.#host) };
    return this.#used.credentials;
  }
}

function sslOf({ ca, cert, key }: PemFiles, host: string): ChannelCredentials {
  const files = [ca ?? null, key ?? null, cert ?? null] as const;
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
