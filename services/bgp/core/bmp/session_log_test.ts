import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScriptedPeer } from '../../testing/scripted_peer.ts';
import type { SessionMessage } from '../host/session_message.ts';
import { SessionLog } from './session_log.ts';

const { peer } = new ScriptedPeer();

/** Says on a connection, in turns: "> OPEN" or "< OPEN", and "> NOTIFICATION" likewise. */
function say(log: SessionLog, connection: object, ...texts: readonly string[]): void {
  for (const text of texts) {
    const direction = text.startsWith('>') ? 'sent' : 'received';
    const kind: SessionMessage['kind'] = text.includes('OPEN') ? 'open' : 'notification';
    const bytes = Buffer.from(text);
    log.observe(peer, { peer: 'b', side: 'incoming', connection, direction, kind, bytes });
  }
}

function read(log: SessionLog): (string | undefined)[] {
  const opens = log.opens(peer, 'incoming');
  const farewell = log.farewell(peer, 'incoming');
  return [opens?.sent, opens?.received, farewell?.bytes].map((bytes) => bytes?.toString());
}

test('the OPENs of a connection, whoever speaks first, and how it ended', () => {
  const log = new SessionLog();
  assert.deepEqual(read(log), [undefined, undefined, undefined]);
  say(log, {}, '< OPEN 1');
  const second = {};
  say(log, second, '< OPEN 2');
  assert.deepEqual(read(log), [undefined, undefined, undefined]);
  say(log, second, '> OPEN 2');
  assert.deepEqual(read(log), ['> OPEN 2', '< OPEN 2', undefined]);
  say(log, second, '< NOTIFICATION');
  assert.deepEqual(read(log), ['> OPEN 2', '< OPEN 2', '< NOTIFICATION']);
  say(log, {}, '> OPEN 3', '< OPEN 3');
  assert.deepEqual(read(log), ['> OPEN 3', '< OPEN 3', undefined]);
});
