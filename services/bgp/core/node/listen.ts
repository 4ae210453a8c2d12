import { type Address, hostPrefix, type Prefix } from '@calico/ip';
import type { Derived } from '../cluster/derive_speaker.ts';
import type { PeerSocket, SpeakerConfig } from '../speaker/config.ts';

export type Listen = {
  readonly port: number;
  /** Per family where to listen; undefined: not at all. */
  readonly addresses: Readonly<Record<4 | 6, Address | undefined>>;
  /** What the kernel has to know of those who may connect. */
  readonly peers: readonly ListenPeer[];
};

/** One peer, or all that may come from a range. */
export type ListenPeer = { readonly prefix: Prefix; readonly socket: PeerSocket };

const ANY: Readonly<Record<4 | 6, Address>> = {
  4: { family: 4, value: 0n },
  6: { family: 6, value: 0n },
};

/**
 * @param config in force, with the peers that are parting
 * @param hasPeersOnLinks some peers come from link-local addresses
 */
export function listenFor(
  { bindsNodeAddress }: Derived,
  { listenPort, local, peers, ranges }: SpeakerConfig,
  hasPeersOnLinks: boolean,
): Listen {
  const where = (family: 4 | 6): Address | undefined => {
    if (family === 6 && hasPeersOnLinks) return ANY[6];
    return local.address[family] && (bindsNodeAddress ? local.address[family] : ANY[family]);
  };
  return {
    port: listenPort,
    addresses: { 4: where(4), 6: where(6) },
    peers: [
      ...Array.from(peers.values(), ({ address, socket }) => ({
        prefix: hostPrefix(address),
        socket,
      })),
      ...(ranges ?? []).map(({ prefix, template: { socket } }) => ({ prefix, socket })),
    ],
  };
}
