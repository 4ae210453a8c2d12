import type { PeerStatus } from '../../ports.ts';
import type { BfdStatus } from '../bfd/types.ts';
import { stateName } from '../session/session.ts';
import type { Peer } from '../speaker/peer.ts';
import { agreementTexts } from './agreement.ts';

export function peerStatus(peer: Peer, bfd: BfdStatus | undefined): PeerStatus {
  const { config, session, received, advertised, live } = peer;
  return {
    key: config.key,
    address: config.address,
    port: config.port,
    remoteAsn: peer.remoteAsn,
    type: config.type,
    state: stateName(session),
    since: session.since,
    lastError: lastErrorOf(peer),
    refusal: session.refusal,
    losses: session.losses,
    lastLoss: session.lastLoss,
    received: received.size,
    rejected: received.refusedCount,
    stale: received.staleCount,
    advertised: advertised.size,
    remoteNode: config.remoteNode,
    isPassing: config.isPassing === true,
    bfd,
    agreed: live === undefined ? [] : agreementTexts(config, live.negotiated),
  };
}

/** Empty while established. */
export function lastErrorOf(peer: Peer): string {
  if (stateName(peer.session) === 'Established') return '';
  return peer.isHeld ? 'Waits for BFD' : peer.session.lastError;
}
