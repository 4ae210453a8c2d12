import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';

export type AddressIdentity = {
  /** A name to ask for that nobody has. */
  readonly servername: string;
  readonly checkServerIdentity: (name: string, certificate: PeerCertificate) => Error | undefined;
};

/**
 * How to know a TLS peer that is named by an IP address; undefined: `host` is a name, the usual way does.
 * Server name indication takes no addresses (RFC 6066 section 3; Deno refuses them): such a peer goes
 * without a name of its own, and its certificate is checked against the address.
 */
export function addressIdentity(host: string): AddressIdentity | undefined {
  if (isIP(host) === 0) return undefined;
  return {
    servername: 'address.invalid',
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  };
}
