import type { BgpNode } from '../core/node/bgp_node.ts';
import { settingsText } from '../core/speaker/config.ts';
import type { PeerStatus } from '../ports.ts';

export type PeerChanges = {
  readonly changed: readonly PeerStatus[];
  /** Keys. */
  readonly removed: readonly string[];
};

/**
 * All peers, then what has changed since the last answer: a caller that is slow misses states in between.
 * Ends with the signal.
 */
export async function* watchPeers(
  node: BgpNode,
  signal: AbortSignal,
): AsyncGenerator<PeerChanges, void, undefined> {
  let wake: (() => void) | undefined;
  const stop = node.operator.onPeers(() => wake?.());
  const onAbort = (): void => wake?.();
  signal.addEventListener('abort', onAbort);
  try {
    let known: ReadonlyMap<string, string> = new Map();
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const peers = node.peers();
      const texts = new Map(peers.map((peer) => [peer.key, settingsText(peer)]));
      const changed = peers.filter((peer) => known.get(peer.key) !== texts.get(peer.key));
      const removed = [...known.keys()].filter((key) => !texts.has(key));
      known = texts;
      if (isFirst || changed.length > 0 || removed.length > 0) yield { changed, removed };
      if (!signal.aborted) await woken;
    }
  } finally {
    stop();
    signal.removeEventListener('abort', onAbort);
  }
}
