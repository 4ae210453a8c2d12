import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cease,
  DEFAULT_CONTEXT,
  encodeMessage,
  endOfRib,
  joinBytes,
  KEEPALIVE,
  type Message,
} from '@calico/bgp-wire';
import { NO_MALFORMED } from '../speaker/malformed_updates.ts';
import type { Peer } from '../speaker/peer.ts';
import { MessageCounter } from './message_counts.ts';

const KEY = '192.0.2.1';
const bytesOf = (message: Message): Uint8Array => encodeMessage(message, DEFAULT_CONTEXT);

test('messages are counted by type, also those that leave in one piece', () => {
  const peers = new Map([[KEY, { malformed: NO_MALFORMED } as Peer]]);
  const counter = new MessageCounter(peers);
  const tell = (direction: 'sent' | 'received', message: Message): void => {
    const { kind } = message;
    counter.told({
      peer: KEY,
      side: 'outgoing',
      connection: {},
      direction,
      kind,
      bytes: bytesOf(message),
    });
  };
  tell('sent', KEEPALIVE);
  tell('received', KEEPALIVE);
  tell('received', cease(2));
  const updates = joinBytes([endOfRib(4), endOfRib(6), endOfRib(4)].map(bytesOf));
  const refresh = { kind: 'route-refresh', afi: 1, safi: 1, subtype: 0 } as const;
  counter.sent(KEY, [updates, joinBytes([bytesOf(refresh), bytesOf(endOfRib(4))])]);
  counter.updates(KEY, 7);
  assert.deepEqual(counter.of(KEY), {
    sent: [0, 0, 4, 0, 1, 1],
    received: [0, 0, 7, 1, 1, 0],
    malformed: NO_MALFORMED,
  });
  peers.delete(KEY);
  tell('sent', cease(3));
  counter.sent(KEY, [updates]);
  assert.equal(counter.of(KEY), undefined);
  peers.set(KEY, {} as Peer);
  assert.deepEqual(counter.of(KEY)?.sent, [0, 0, 0, 0, 0, 0]);
});
