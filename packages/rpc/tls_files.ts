// TLS files as they are now: a certificate that was renewed serves from the next connection on, without a
// restart. Connections that are open stay: TLS looks at certificates only when it begins.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { TlsFiles } from './credentials.ts';
import type { PemFiles } from './unary_channel.ts';

export type TlsReport = {
  /** Connections from now on use the files as they are now. */
  readonly onRenewed?: () => void;
  /** Files that have changed cannot be used: told once of each state of them. */
  readonly onFailed?: (reason: string) => void;
};

/** For the log, with the reason. */
export const TLS_FAILED = 'TLS files cannot be used, new connections use what they held before';

/** Of the clocks of file systems, and more: files written twice within it may look the same. */
const TICK_MS = 20;

export class RenewedTlsFiles {
  readonly #paths: TlsFiles;
  readonly #report: TlsReport;
  /** Of the files that were read last. */
  #stamp: string | undefined;
  #pem: PemFiles;
  #failure = '';

  /** @throws TypeError that names a file which cannot be read */
  constructor(paths: TlsFiles, report: TlsReport = {}) {
    this.#paths = paths;
    this.#report = report;
    this.#stamp = lasting(stampOf(paths));
    this.#pem = readAll(paths);
  }

  /**
   * The files' texts; the same object as long as they are the same. While they are being replaced, so that
   * one is missing or the key is not that of the certificate, what they held before.
   */
  current(): PemFiles {
    let text = '';
    try {
      const stamp = stampOf(this.#paths);
      text = stamp.text;
      if (text === this.#stamp) return this.#pem;
      const pem = readAll(this.#paths);
      // Also of wrong ones: they are not looked at again until they change.
      this.#stamp = lasting(stamp);
      const isRenewed = !isSame(pem, this.#pem);
      if (isRenewed) checkPem(pem);
      this.#failure = '';
      if (!isRenewed) return this.#pem;
      this.#pem = pem;
    } catch (cause) {
      this.#fail(text, (cause as Error).message);
      return this.#pem;
    }
    this.#report.onRenewed?.();
    return this.#pem;
  }

  #fail(stamp: string, reason: string): void {
    const failure = `${stamp} ${reason}`;
    if (failure === this.#failure) return;
    this.#failure = failure;
    this.#report.onFailed?.(reason);
  }
}

function isSame(one: PemFiles, other: PemFiles): boolean {
  return (['ca', 'cert', 'key'] as const).every(
    (name) => String(one[name] ?? '') === String(other[name] ?? ''),
  );
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

type Stamp = {
  /** Changes when a file is written, or replaced, also by a link that leads elsewhere. */
  readonly text: string;
  /** A file may change yet and look the same. */
  readonly isFresh: boolean;
};

function stampOf({ ca, cert, key }: TlsFiles): Stamp {
  const now = Date.now();
  const files = [ca, cert, key].map((path) =>
    path === undefined ? undefined : statSync(path, { throwIfNoEntry: false }),
  );
  return {
    text: files
      .map((file) => file && `${file.dev}:${file.ino}:${file.size}:${file.mtimeMs}`)
      .join(),
    isFresh: files.some((file) => file && Math.abs(now - file.mtimeMs) < TICK_MS),
  };
}

/** Undefined: the files are to be read again. */
function lasting({ text, isFresh }: Stamp): string | undefined {
  return isFresh ? undefined : text;
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
