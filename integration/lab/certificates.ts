// Certificates of a lab with TLS, made by openssl(1): an authority, and a certificate for every node.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { execOk } from './exec.ts';

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const DAYS = ['-days', '365'];

/** Paths of PEM files. */
export type Certificate = { readonly ca: string; readonly cert: string; readonly key: string };

/** Where the certificate of `name` is, or would be. */
export function certificateOf(directory: string, name: string, authority = 'ca'): Certificate {
  const file = (base: string): string => join(directory, 'tls', base);
  return { ca: file(`${authority}.pem`), cert: file(`${name}.pem`), key: file(`${name}.key`) };
}

export async function makeAuthority(directory: string, name = 'ca'): Promise<void> {
  mkdirSync(join(directory, 'tls'), { recursive: true, mode: 0o700 });
  const { cert, key } = certificateOf(directory, name);
  const files = ['-keyout', key, '-out', cert];
  await execOk(['openssl', 'req', '-x509', ...KEY, ...files, '-subj', `/CN=${name}`, ...DAYS]);
}

/** A certificate for both ends of a connection that names `addresses`. */
export async function makeCertificate(
  directory: string,
  name: string,
  addresses: readonly string[],
  authority = 'ca',
): Promise<Certificate> {
  const made = certificateOf(directory, name, authority);
  const { cert: authorityCert, key: authorityKey } = certificateOf(directory, authority);
  const names = [...addresses, '127.0.0.1'].map((address) => `IP:${address}`).join(',');
  const files = ['-keyout', made.key, '-out', made.cert];
  const signer = ['-CA', authorityCert, '-CAkey', authorityKey];
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${names},DNS:localhost`];
  const role = ['-addext', 'basicConstraints=critical,CA:FALSE'];
  await execOk([
    'openssl',
    'req',
    '-x509',
    ...KEY,
    ...files,
    ...signer,
    ...subject,
    ...role,
    ...DAYS,
  ]);
  return made;
}
