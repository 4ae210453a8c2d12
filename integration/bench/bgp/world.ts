// Who is who: one speaker under test, and its peers, which are all played by the benchmark itself.
import type { Prefix } from '@calico/ip';

export const SPEAKER = { address: '10.99.0.1', asn: 65_000 };
/** What external feeders give as next hop: a neighbour that is nobody's peer. */
export const NEXT_HOP = '10.99.0.200';
export const NETWORK_LENGTH = 16;

export type PeerPlan = {
  readonly address: string;
  readonly asn: number;
  /** What the speaker tells it: everything, only what marks the end of a feed, or nothing. */
  readonly told: 'all' | 'markers' | 'nothing';
};

/** What the speaker is configured with. */
export type World = {
  readonly peers: readonly PeerPlan[];
  /** Its peers are its clients. */
  readonly isReflector: boolean;
  /** Routes go into the kernel's table. */
  readonly hasKernel: boolean;
};

/** Prefixes of one length from 16.0.0.0 on. */
export type Space = { readonly count: number; readonly length: 24 | 26 };

export const SPACE_BASE = 0x1000_0000;
/** 9.9.n.0/24: the last prefix that feeder n tells. */
export const MARKER_BASE = 0x0909_0000;

export function spacePrefix({ length }: Space, index: number): Prefix {
  return { family: 4, value: BigInt(SPACE_BASE + index * 2 ** (32 - length)), length };
}

export function markerPrefix(feeder: number): Prefix {
  return { family: 4, value: BigInt(MARKER_BASE + feeder * 256), length: 24 };
}

/** Address of peer `index`, from 10.99.1.1 on. */
export function peerAddress(index: number): string {
  return `10.99.${1 + Math.floor(index / 250)}.${1 + (index % 250)}`;
}
