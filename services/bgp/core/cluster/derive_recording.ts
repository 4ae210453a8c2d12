import { parseAddress } from '@calico/ip';
import { type BGPConfiguration, splitPeerAddress } from '@calico/model';
import type { RecordingSettings } from '../mrt/session_recording.ts';
import { BGP_PORT, peerKey } from './peer_key.ts';

const MEBIBYTE = 1024 * 1024;
const MAX_SIZE = 64;

/** Whose words are kept (BGPConfiguration.sessionRecording); undefined: nobody's. */
export function deriveRecording(
  spec: BGPConfiguration['spec']['sessionRecording'],
): RecordingSettings | undefined {
  if (spec === undefined) return undefined;
  const peers = spec.peers?.flatMap((text) => {
    const target = splitPeerAddress(text);
    if (target === undefined) return [];
    return [peerKey(parseAddress(target.address), target.port ?? BGP_PORT, target.interface)];
  });
  return { peers, maxBytes: (spec.maxSize ?? MAX_SIZE) * MEBIBYTE };
}
