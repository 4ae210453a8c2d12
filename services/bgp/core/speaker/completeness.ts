// Whether everything has been heard that is waited for after a restart.
import type { SpeakerConfig } from './config.ts';
import type { Peer } from './peer.ts';

type Known = {
  readonly config: SpeakerConfig | undefined;
  readonly peers: ReadonlyMap<string, Peer>;
};

/** Whether nobody is awaited whom we cannot speak to yet, and everybody is there and has said everything. */
export function areAllComplete({ config, peers }: Known, now: number): boolean {
  if (config === undefined || config.awaited?.length) return false;
  return [...peers.values()].every((peer) => peer.isComplete(now));
}
