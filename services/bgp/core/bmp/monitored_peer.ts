// One established peer as a collector sees it.
import {
  type BmpMessage,
  type BmpPeer,
  BmpStatistic,
  decodeMessage,
  MessageType,
  PeerDownReason,
  ProtocolError,
  type Update,
} from '@calico/bgp-wire';
import type { Prefix } from '@calico/ip';
import type { SpeakerConfig } from '../speaker/config.ts';
import { type Live, localAddressOf, type Peer } from '../speaker/peer.ts';
import type { Farewell, SessionLog } from './session_log.ts';
import type { BmpSettings } from './settings.ts';
import { type FeedPath, TableFeed } from './table_feed.ts';

type PolicyTable = 'pre-policy' | 'post-policy';

export class MonitoredPeer {
  readonly peer: Peer;
  readonly #live: Live;
  readonly feeds = new Map<PolicyTable, TableFeed>();

  constructor(peer: Peer, live: Live, settings: BmpSettings) {
    this.peer = peer;
    this.#live = live;
    const walk = () => peer.received.walk();
    const { addPath } = live.negotiated.context;
    for (const [table, isWanted, lookup] of [
      ['pre-policy', settings.prePolicy, told],
      ['post-policy', settings.postPolicy, accepted],
    ] as const) {
      if (!isWanted) continue;
      this.feeds.set(table, new TableFeed((prefix) => lookup(peer, prefix), walk, addPath));
    }
  }

  header(table: PolicyTable, timestamp: number): BmpPeer {
    const { asn, routerId } = this.#live.negotiated.remoteOpen;
    return { table, address: this.peer.config.address, asn, routerId, timestamp };
  }

  /** The runtimes' sockets do not tell the port that a connection was dialled from: 0. */
  up(
    log: SessionLog,
    local: Pick<SpeakerConfig, 'local' | 'listenPort'>,
    now: number,
  ): BmpMessage | undefined {
    const { side } = this.#live;
    const { port } = this.peer.config;
    const { listenPort } = local;
    const opens = log.opens(this.peer, side);
    if (opens === undefined) return undefined;
    return {
      kind: 'peer-up',
      peer: this.header('pre-policy', now),
      localAddress: localAddressOf(this.peer, local.local),
      localPort: side === 'outgoing' ? 0 : listenPort,
      remotePort: side === 'outgoing' ? port : 0,
      sentOpen: opens.sent,
      receivedOpen: opens.received,
    };
  }

  /** @param isDropped we have closed the connection without a word */
  down(log: SessionLog, isDropped: boolean, now: number): BmpMessage {
    const farewell = log.farewell(this.peer, this.#live.side);
    const why = isDropped ? DROPPED : reasonOf(farewell);
    return { kind: 'peer-down', peer: this.header('pre-policy', now), ...why };
  }

  statistics(now: number): BmpMessage {
    const { received: table } = this.peer;
    return {
      kind: 'statistics',
      peer: this.header('pre-policy', now),
      values: [
        { type: BmpStatistic.Rejected, value: table.refusedCount },
        { type: BmpStatistic.AdjRibIn, value: table.size + table.refusedCount },
      ],
    };
  }

  /** @param body of an UPDATE; one that could not be read has ended the session */
  updated(body: Uint8Array): void {
    const { withdrawn, announced, reach, unreach } = this.#read(body);
    for (const list of [withdrawn, announced, reach?.nlri ?? [], unreach?.nlri ?? []]) {
      for (const { prefix } of list) for (const feed of this.feeds.values()) feed.touch(prefix);
    }
  }

  #read(body: Uint8Array): Pick<Update, 'withdrawn' | 'announced' | 'reach' | 'unreach'> {
    try {
      const frame = { type: MessageType.Update, body };
      const message = decodeMessage(frame, this.#live.negotiated.context);
      if (message.kind === 'update') return message;
    } catch (cause) {
      if (!(cause instanceof ProtocolError)) throw cause;
    }
    return { withdrawn: [], announced: [] };
  }

  /** Policy has judged anew, or stale routes have gone. */
  reconsidered(): void {
    for (const feed of this.feeds.values()) feed.reconsider();
  }
}

/** Event 23 of RFC 4271 section 8.1.5: the connection has lost to another one. */
const DROPPED = {
  reason: PeerDownReason.LocalWithoutNotification,
  data: Uint8Array.of(0, 23),
};

/** RFC 7854 section 4.9. */
function reasonOf(farewell: Farewell | undefined): { reason: number; data: Uint8Array } {
  if (farewell === undefined) {
    return { reason: PeerDownReason.RemoteWithoutNotification, data: new Uint8Array(0) };
  }
  const { direction, bytes } = farewell;
  const { LocalNotification, RemoteNotification } = PeerDownReason;
  return {
    reason: direction === 'sent' ? LocalNotification : RemoteNotification,
    data: bytes,
  };
}

/** As the peer has told them. */
function told({ received: table }: Peer, prefix: Prefix): FeedPath[] {
  return Array.from(table.allTo(prefix), ({ pathId, received }) => ({ pathId, data: received }));
}

/** As policy has let them in. */
function accepted({ received: table }: Peer, prefix: Prefix): FeedPath[] {
  return Array.from(table.allTo(prefix)).flatMap(({ pathId, data }) =>
    data === undefined ? [] : [{ pathId, data }],
  );
}
