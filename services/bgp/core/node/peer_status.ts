import type { PeerStatus } from '../../ports.ts';
import { stateName } from '../session/session.ts';
import type { Peer } from '../speaker/peer.ts';

export function peerStatus({ config, session, received, advertised }: Peer): PeerStatus {
  const state = stateName(session);
  return {
    address: config.address,
    port: config.port,
    remoteAsn: config.session.remoteAsn,
    type: config.type,
    state,
    since: session.since,
    lastError: state === 'Established' ? '' : session.lastError,
    received: received.size,
    advertised: advertised.size,
    remoteNode: config.remoteNode,
  };
}
