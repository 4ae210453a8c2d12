// Several connections to one peer: RFC 4271 section 6.8, same identifier RFC 6286 section 2.3,
// restarted peers RFC 4724 section 5.
//
// RFC 4271 lets both ends decide, each by what it has seen so far. They can then disagree and close one
// connection each. So only the end with the higher identifier decides here: it closes what it does not
// want, and the other end goes along. Towards a peer that decides by itself the outcome is the RFC's.
import type { Open } from '@calico/bgp-wire';
import type { Connection, SessionConfig, Side } from './types.ts';

/** Whether this end decides. */
export function isDecider(config: SessionConfig, { routerId, asn }: Open): boolean {
  return config.routerId === routerId ? config.localAsn > asn : config.routerId > routerId;
}

export type Verdict =
  /** Both go on; the peer will close one. */
  | 'keep-both'
  /** The connection on which the OPEN just came is closed. */
  | 'close-arrived'
  | 'close-other'
  /** The peer has restarted: the other connection is dead. */
  | 'other-is-dead';

/**
 * What becomes of two connections when an OPEN has just come on one of them.
 * @param ageMs how long the other has been established
 */
export function judgeCollision(
  config: SessionConfig,
  arrived: { readonly side: Side; readonly open: Open },
  other: Connection,
  ageMs: number,
): Verdict {
  const decides = isDecider(config, arrived.open);
  if (other.kind === 'established') {
    // Connections that were opened at the same moment are no restart.
    const isOld = ageMs >= config.timing.connectRetryMs;
    if (isOld && arrived.side !== 'outgoing' && other.negotiated.gracefulRestart !== undefined) {
      return 'other-is-dead';
    }
    return decides || isOld ? 'close-arrived' : 'keep-both';
  }
  if (other.kind !== 'open-confirm' || !decides) return 'keep-both';
  return arrived.side === 'outgoing' ? 'close-other' : 'close-arrived';
}
