// Whether everything has been heard that is waited for after a restart.
import type { SpeakerConfig } from './config.ts';
import type { Peer } from './peer.ts';

type Known = {
  readonly config: SpeakerConfig | undefined;
  readonly peers: ReadonlyMap<string, Peer>;
};

/** Whether it is known who they are, and everybody is there, known by its address, and has said everything. */
export function areAllComplete(speaker: Known, now: number): boolean {
  if (speaker.config === undefined || !areFarEndsKnown(speaker)) return false;
  return [...speaker.peers.values()].every((peer) => peer.isComplete(now));
}

/** Whether there is a peer at the far end of each link that should have one. */
export function areFarEndsKnown({ config, peers }: Known): boolean {
  const known = new Set(Array.from(peers.values(), (peer) => peer.config.interface));
  return config?.links?.every((name) => known.has(name)) ?? true;
}
