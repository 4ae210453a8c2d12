// When routes that an earlier process left in the kernel may go: once it is known that nobody who is
// there wants them. A peer that is away is waited for as long as it may take it to restart.
import { type Address, isLinkLocal, sameAddress } from '@calico/ip';
import type { Removal } from '../kernel/changes.ts';
import { areAllComplete, areFarEndsKnown } from '../speaker/completeness.ts';
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

export function removalFor(
  speaker: Speaker,
  { startedAt, inSyncAt }: RecoveryState,
  now: number,
): Removal & { readonly isFull: boolean } {
  const isRecovered = speaker.checkRecovered(now, now - startedAt >= RECOVERY_LIMIT_MS);
  const isSettled = inSyncAt !== undefined && now - inSyncAt >= SETTLING_MS;
  const peers = [...speaker.peers.values()];
  const areOthersDone = isSettled || areAllComplete(speaker, now);
  const areKnown = areFarEndsKnown(speaker);
  return {
    blackholes: inSyncAt !== undefined,
    via: (gateway: Address) => {
      if (isRecovered) return true;
      const peer = peers.find(({ config }) => sameAddress(config.address, gateway));
      if (peer !== undefined) return peer.isComplete(now);
      // It may be the address of a peer that has not been heard of yet.
      if (isLinkLocal(gateway) && !areKnown) return false;
      return inSyncAt !== undefined && areOthersDone;
    },
    isFull: isRecovered && inSyncAt !== undefined,
  };
}
