// TLS files as they are now: a certificate that was renewed serves from the next connection on, without a
// restart. Connections that are open stay: TLS looks at certificates only when it begins.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { TlsFiles } from './credentials.ts';
import type { PemFiles } from './unary_channel.ts';

export class RenewedTlsFiles {
  readonly #paths: TlsFiles;
  readonly #onRenewed: () => void;
  #stamp: string;
  #pem: PemFiles;

  /** @throws TypeError that names a file which cannot be read */
  constructor(paths: TlsFiles, onRenewed: () => void = () => {}) {
    this.#paths = paths;
    this.#onRenewed = onRenewed;
    this.#stamp = stampOf(paths);
    this.#pem = readAll(paths);
  }

  /**
   * The files' texts; the same object as long as they are the same. While they are being replaced, so that
   * one is missing or the key is not that of the certificate, what they held before.
   */
  current(): PemFiles {
    try {
      const stamp = stampOf(this.#paths);
      if (stamp === this.#stamp) return this.#pem;
      const pem = readAll(this.#paths);
      checkPem(pem);
      this.#pem = pem;
      this.#stamp = stamp;
    } catch {
      return this.#pem;
    }
    this.#onRenewed();
    return this.#pem;
  }
}

/** Throws when a file is half written, or key and certificate are not of each other. */
function checkPem(pem: PemFiles): void {
  createSecureContext(contextOptions(pem)); // of Deno's it is no check
  const { ca, cert, key } = pem;
  const [, certificate] = [ca, cert].map((text) =>
    text == null ? undefined : new X509Certificate(text),
  );
  const privateKey = key == null ? undefined : createPrivateKey(key);
  if (certificate === undefined || privateKey === undefined) return;
  if (!certificate.checkPrivateKey(privateKey)) throw new TypeError('the key is of another one');
}

/** For node:tls, which tells null from absent. */
export function contextOptions({ ca, cert, key }: PemFiles) {
  return {
    ...(ca == null ? {} : { ca }),
    ...(cert == null ? {} : { cert }),
    ...(key == null ? {} : { key }),
  };
}

/** Changes when a file is written, or replaced, also by a link that leads elsewhere. */
function stampOf({ ca, cert, key }: TlsFiles): string {
  return [ca, cert, key]
    .map((path) => {
      const file = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
      return file === undefined ? '' : `${file.dev}:${file.ino}:${file.size}:${file.mtimeMs}`;
    })
    .join();
}

function readAll({ ca, cert, key }: TlsFiles): PemFiles {
  return { ca: readPem(ca), cert: readPem(cert), key: readPem(key) };
}

function readPem(path: string | undefined): Buffer | null {
  if (path === undefined) return null;
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new TypeError(`Cannot read TLS file "${path}": ${(cause as Error).message}`, { cause });
  }
}
