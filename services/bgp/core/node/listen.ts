import { type Address, FAMILIES, hostPrefix, isLinkLocal, type Prefix } from '@calico/ip';
import type { Derived } from '../cluster/derive_speaker.ts';
import type { PeerSocket, SpeakerConfig } from '../speaker/config.ts';

export type Listen = {
  readonly port: number;
  /** Per family where to listen; undefined: not at all. */
  readonly addresses: Readonly<Record<4 | 6, Address | undefined>>;
  /** Where to listen besides, whether the addresses are there yet or not. */
  readonly workloadPeering?: readonly Address[];
  /** What the kernel has to know of those who may connect. */
  readonly peers: readonly ListenPeer[];
};

/** One peer, or all that may come from a range. */
export type ListenPeer = {
  readonly prefix: Prefix;
  /** Where a link-local address is; undefined for others. */
  readonly interface?: string | undefined;
  readonly socket: PeerSocket;
};

const ANY: Readonly<Record<4 | 6, Address>> = {
  4: { family: 4, value: 0n },
  6: { family: 6, value: 0n },
};

/**
 * @param config in force, with the peers that are parting
 * @param hasPeersOnLinks some peers come from link-local addresses
 */
export function listenFor(
  { bindsNodeAddress, workloadPeering }: Derived,
  { listenPort, local, peers, ranges }: SpeakerConfig,
  hasPeersOnLinks: boolean,
): Listen {
  // It is on many interfaces, to none of which a listener could be bound.
  const hasLinkLocal = workloadPeering[6] !== undefined && isLinkLocal(workloadPeering[6]);
  const where = (family: 4 | 6): Address | undefined => {
    if (family === 6 && (hasPeersOnLinks || hasLinkLocal)) return ANY[6];
    return local.address[family] && (bindsNodeAddress ? local.address[family] : ANY[family]);
  };
  const addresses = { 4: where(4), 6: where(6) };
  return {
    port: listenPort,
    addresses,
    workloadPeering: FAMILIES.flatMap((family) =>
      addresses[family]?.value === 0n ? [] : (workloadPeering[family] ?? []),
    ),
    peers: [
      ...Array.from(peers.values(), ({ address, interface: onLink, socket }) => ({
        prefix: hostPrefix(address),
        interface: onLink,
        socket,
      })),
      ...(ranges ?? []).map(({ prefix, template: { socket } }) => ({ prefix, socket })),
    ],
  };
}
