// How a BGP peer is named: BGPPeer.peerIP, and wherever one is chosen.
import { isLinkLocal, parseAddress } from '@calico/ip';
import { textThat } from './scalars.ts';

export type PeerAddress = {
  readonly address: string;
  /** 1 to 65535; undefined: where the peer listens as far as that is known, or 179. */
  readonly port: number | undefined;
  /** Of an address that has a meaning on one link only, fe80::/10. */
  readonly interface: string | undefined;
};

/**
 * "192.0.2.1", "192.0.2.1:1790", "2001:db8::1", "[2001:db8::1]:1790", "fe80::1%eth1" or
 * "[fe80::1%eth1]:1790".
 */
export function splitPeerAddress(text: string): PeerAddress | undefined {
  const match = /^\[(.+)\]:([0-9]{1,5})$/.exec(text) ?? /^([0-9.]+):([0-9]{1,5})$/.exec(text);
  const [host = '', name, ...more] = (match?.[1] ?? text).split('%');
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  const isPort = port === undefined || (port >= 1 && port <= 65_535);
  if (more.length > 0 || !isPort) return undefined;
  try {
    const needsInterface = isLinkLocal(parseAddress(host));
    const isInterface = name !== undefined && /^[a-zA-Z0-9_.-]{1,15}$/.test(name);
    return needsInterface === isInterface && isInterface === (name !== undefined)
      ? { address: host, port, interface: name }
      : undefined;
  } catch {
    return undefined;
  }
}

/** For schemas. */
export const peerAddress = textThat((text) =>
  splitPeerAddress(text) === undefined
    ? 'expected an address, with a port "192.0.2.1:1790", "[2001:db8::1]:1790", or with the interface of a link-local one "fe80::1%eth1"'
    : undefined,
);
