import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sessionConfig } from '../../testing/session_config.ts';
import { negotiate } from '../session/negotiation.ts';
import { makeOpen } from '../session/open_message.ts';
import type { SessionConfig } from '../session/types.ts';
import { type PeerConfig, PLAIN_SOCKET } from '../speaker/config.ts';
import { agreementTexts } from './agreement.ts';

function texts(changes: Partial<SessionConfig>, socket = PLAIN_SOCKET): string[] {
  const config = sessionConfig(changes);
  const theirs = makeOpen({ ...config, routerId: 101, role: undefined });
  const result = negotiate(config, makeOpen(config), theirs);
  assert.ok(result.kind === 'agreed');
  return agreementTexts({ session: config, socket } as unknown as PeerConfig, result.negotiated);
}

test('what a session has agreed on, in words', () => {
  assert.deepEqual(texts({}), [
    'hold 90s',
    'IPv4',
    'extended messages',
    'enhanced route refresh',
    'graceful restart 120s',
  ]);
  const everything = texts(
    {
      holdTimeSeconds: 0,
      families: [4, 6],
      extendedNextHop: true,
      addPathReceive: true,
      addPathSend: true,
      role: 'customer',
      gracefulRestart: undefined,
    },
    { password: { name: 'a', key: 'b', version: 1 }, ttl: 255, minimumTtl: 254 },
  );
  assert.deepEqual(everything, [
    'no hold timer',
    'IPv4',
    'IPv6',
    'extended messages',
    'enhanced route refresh',
    'IPv6 next hops for IPv4',
    'add-path IPv4 receive and send',
    'add-path IPv6 receive and send',
    'we are customer',
    'TCP MD5',
    'TTL at least 254',
  ]);
});
