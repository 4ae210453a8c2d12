// The record that says which node a block belongs to. Only the block itself is authoritative; these
// records are the index by node, and what upstream's BGP and data plane read.
import { formatJson, parseJson } from './lossless_json.ts';

export type AffinityState = 'pending' | 'confirmed' | 'pendingDeletion';

/** The value of a confirmed affinity. */
export const CONFIRMED = formatJson({ state: 'confirmed', deleted: false });

/** State of an affinity record; old writers left the value of a confirmed one empty. */
export function affinityState(text: string): AffinityState {
  if (text === '' || text === CONFIRMED) return 'confirmed';
  try {
    const { state } = parseJson(text) as { state?: unknown };
    return state === 'confirmed' || state === 'pendingDeletion' ? state : 'pending';
  } catch {
    return 'pending';
  }
}

export function hostAffinity(node: string): string {
  return `host:${node}`;
}

/** The node of "host:<node>", else undefined. */
export function nodeOfAffinity(affinity: string | undefined): string | undefined {
  return affinity?.startsWith('host:') === true ? affinity.slice('host:'.length) : undefined;
}
