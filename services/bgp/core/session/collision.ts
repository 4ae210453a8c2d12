// Two connections to one peer: RFC 4271 section 6.8, same identifier RFC 6286 section 2.3.
//
// The RFC lets both ends decide, each by what it has seen so far. They can then disagree and close one
// connection each. So only the end with the higher identifier decides here: it closes what it does not
// want, and the other end goes along. Towards a peer that decides by itself the outcome is the RFC's.
import type { Open } from '@calico/bgp-wire';
import type { Connection, SessionConfig, Side } from './types.ts';

/** Whether this end decides. */
export function isDecider(config: SessionConfig, { routerId, asn }: Open): boolean {
  return config.routerId === routerId ? config.localAsn > asn : config.routerId > routerId;
}

/**
 * The side whose connection this end closes now that an OPEN came on the side `arrived`; undefined: none.
 * The connection that the decider dialled survives, unless the other is established already.
 */
export function loserOfCollision(
  config: SessionConfig,
  arrived: Side,
  arrivedState: Connection,
  otherState: Connection,
): Side | undefined {
  if (arrivedState.kind !== 'open-confirm') return undefined;
  if (!isDecider(config, arrivedState.negotiated.remoteOpen)) return undefined;
  if (otherState.kind === 'established') return arrived;
  return otherState.kind === 'open-confirm' ? 'incoming' : undefined;
}
