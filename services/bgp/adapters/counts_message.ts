import { MessageType } from '@calico/bgp-wire';
import type { MessageCounts } from '../core/node/message_counts.ts';

/** Of BgpPeerStatus. */
export function countsMessage({ sent, received, malformed }: MessageCounts) {
  return {
    messagesSent: messageCounts(sent),
    messagesReceived: messageCounts(received),
    malformedUpdates: {
      treatAsWithdraw: BigInt(malformed.treatAsWithdraw),
      attributeDiscard: BigInt(malformed.attributeDiscard),
      sessionReset: BigInt(malformed.sessionReset),
    },
  };
}

function messageCounts(counts: readonly number[]) {
  const of = (type: number): bigint => BigInt(counts[type] ?? 0);
  return {
    open: of(MessageType.Open),
    update: of(MessageType.Update),
    notification: of(MessageType.Notification),
    keepalive: of(MessageType.Keepalive),
    routeRefresh: of(MessageType.RouteRefresh),
  };
}
