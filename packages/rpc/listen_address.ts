// Addresses of listeners and targets, and the rule when they may do without TLS.
import { isIP } from 'node:net';

export type ListenAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/**
 * Parses `unix:/path` or `host:port` (`[v6]:port`; an empty host means every address).
 * Throws TypeError that says what would be accepted.
 */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    if (path.startsWith('/')) return { kind: 'unix', path };
  } else {
    const match = /^(?:\[([^\]]+)\]|([^:[\]/]*)):(\d{1,5})$/.exec(text);
    const port = Number(match?.[3]);
    if (match && port <= 65_535) return { kind: 'tcp', host: match[1] ?? match[2] ?? '', port };
  }
  throw new TypeError(
    `Cannot use address "${text}": expected "unix:/path", "host:port" or "[ipv6]:port"`,
  );
}

export function formatListenAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  const host = address.host === '' ? '0.0.0.0' : address.host;
  return `${isIP(host) === 6 ? `[${host}]` : host}:${address.port}`;
}

/** True when only processes of this machine (this network namespace) can be at the other end. */
export function isLocal(address: ListenAddress): boolean {
  if (address.kind === 'unix') return true;
  const host = address.host.toLowerCase();
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

export type Security = 'tls' | 'local' | 'insecure';

/**
 * How an address is protected. Unix sockets are never TLS: their file's mode says who may call.
 * Throws when it would be plain text over a network unasked.
 */
export function securityOf(
  address: ListenAddress,
  options: { readonly tls: boolean; readonly insecure: boolean },
  action: 'listen on' | 'connect to',
): Security {
  if (options.tls && address.kind === 'tcp') return 'tls';
  if (isLocal(address)) return 'local';
  if (options.insecure) return 'insecure';
  throw new TypeError(
    `Cannot ${action} "${formatListenAddress(address)}": not a unix socket or loopback address, ` +
      'so it needs TLS files (CALICO_TLS_CA, CALICO_TLS_CERT, CALICO_TLS_KEY) or --insecure',
  );
}
