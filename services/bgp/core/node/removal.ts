// When routes that an earlier process left in the kernel may go: once it is known that nobody who is
// there wants them. A peer that is away is waited for as long as it may take it to restart.
import { type Address, hostPrefix, isLinkLocal, prefixContains } from '@calico/ip';
import type { KernelPort } from '../../ports.ts';
import type { Removal } from '../kernel/changes.ts';
import { areAllComplete } from '../speaker/completeness.ts';
import type { AwaitedPeer } from '../speaker/config.ts';
import type { Speaker } from '../speaker/speaker.ts';

/** How long other peers are waited for before a route through no peer's address goes. */
const SETTLING_MS = 30_000;
/** As long as peers are told to wait for us. */
export const RECOVERY_LIMIT_MS = 120_000;

export type RecoveryState = {
  readonly startedAt: number;
  /** When the cluster's resources were known completely; undefined before. */
  readonly inSyncAt: number | undefined;
};

/** @param interfaceIndex of an interface that is up */
export function removalFor(
  speaker: Speaker,
  { startedAt, inSyncAt }: RecoveryState,
  now: number,
  interfaceIndex: KernelPort['interfaceIndex'],
): Removal & { readonly isFull: boolean } {
  const isRecovered = speaker.checkRecovered(now, now - startedAt >= RECOVERY_LIMIT_MS);
  const isSettled = inSyncAt !== undefined && now - inSyncAt >= SETTLING_MS;
  const areOthersDone = isSettled || areAllComplete(speaker, now);
  const peers = Array.from(speaker.peers.values(), (peer) => ({
    isHere: placeOf(
      { prefix: hostPrefix(peer.config.address), interface: peer.config.interface },
      interfaceIndex,
    ),
    // As of now: what it tells later is to be decided on first.
    isComplete: peer.isComplete(now),
  }));
  const awaited = (speaker.config?.awaited ?? []).map((each) => placeOf(each, interfaceIndex));
  return {
    blackholes: inSyncAt !== undefined,
    via: (gateway, index) => {
      if (isRecovered) return true;
      const found = peers.find(({ isHere }) => isHere(gateway, index));
      if (found !== undefined) return found.isComplete;
      if (awaited.some((isHere) => isHere(gateway, index))) return false;
      return inSyncAt !== undefined && areOthersDone;
    },
    isFull: isRecovered && inSyncAt !== undefined,
  };
}

/** Whether a gateway is the peer's address, or may be it. */
function placeOf(
  { prefix, interface: onLink }: AwaitedPeer,
  interfaceIndex: KernelPort['interfaceIndex'],
): (gateway: Address, index: number) => boolean {
  // An interface that is down may be any of those that routes of an earlier process went through.
  const there = onLink === undefined ? undefined : interfaceIndex(onLink);
  return (gateway, index) => {
    if (there !== undefined && there !== index) return false;
    return prefix === undefined ? isLinkLocal(gateway) : prefixContains(prefix, gateway);
  };
}
