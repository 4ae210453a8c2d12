// Whether and how the path to a peer is watched: BGPConfiguration.bfd, field by field under BGPPeer.bfd.
import { type Address, isLinkLocal, type Prefix, prefixContains } from '@calico/ip';
import type { BGPPeer } from '@calico/model';
import type { PeerBfd } from '../speaker/config.ts';
import { parseDurationSeconds } from './duration.ts';

export type BfdSpec = BGPPeer['spec']['bfd'];

/** The product notices a dead peer in under a second: 3 × 300 ms. */
const INTERVAL_MS = 300;
const DETECT_MULTIPLIER = 3;

/** @param subnet of the node: a peer inside is a neighbour */
export function deriveBfd(
  cluster: BfdSpec,
  peer: BfdSpec,
  address: Address,
  subnet: Prefix | undefined,
): PeerBfd | undefined {
  const spec = { ...cluster, ...peer };
  if (!spec.enabled) return undefined;
  const isNeighbour = subnet !== undefined && prefixContains(subnet, address);
  return {
    settings: {
      minReceiveMs: milliseconds(spec.minReceiveInterval),
      minTransmitMs: milliseconds(spec.minTransmitInterval),
      detectMultiplier: spec.detectMultiplier ?? DETECT_MULTIPLIER,
      isMultihop: !isLinkLocal(address) && (spec.multihop ?? !isNeighbour),
    },
    isStrict: spec.strict ?? false,
  };
}

function milliseconds(interval: string | undefined): number {
  return interval === undefined ? INTERVAL_MS : parseDurationSeconds(interval) * 1000;
}
