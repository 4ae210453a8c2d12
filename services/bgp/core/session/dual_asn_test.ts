import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, KEEPALIVE, type Message, type Notification, OpenError } from '@calico/bgp-wire';
import { sessionConfig } from '../../testing/session_config.ts';
import { makeOpen } from './open_message.ts';
import { newSession, type SessionEvent, stateName, stepSession } from './session.ts';
import type { SessionConfig, SessionEffect, Side } from './types.ts';

const OWN = 64_512;
const OTHER = 65_100;
const DUAL = { localAsn: OTHER, dualAsn: OWN, remoteAsn: 65_000 } as const;
const BAD_PEER_AS: Notification = {
  kind: 'notification',
  code: ErrorCode.Open,
  subcode: OpenError.BadPeerAs,
  data: new Uint8Array(0),
};

function peer(changes: Partial<SessionConfig>) {
  const config = sessionConfig(changes);
  let session = newSession(0);
  let effects: readonly SessionEffect[] = [];
  const send = (event: SessionEvent): void => {
    ({ session, effects } = stepSession(session, event, config, 0));
  };
  return {
    /** Dials; answers the AS number of our OPEN. */
    dial(): number | undefined {
      const on = { kind: 'connection', side: 'outgoing' } as const;
      if (session.phase === 'running') {
        send({ ...on, event: { kind: 'timer', timer: 'connect-retry' } });
      } else {
        send({ kind: session.phase === 'resting' ? 'rested' : 'start' });
      }
      send({ ...on, event: { kind: 'opened' } });
      const sent = effects.flatMap((each) => (each.kind === 'send' ? [each.message] : []));
      return sent.flatMap((each) => (each.kind === 'open' ? [each.asn] : []))[0];
    },
    /** The peer dials. */
    accept(): void {
      send({ kind: 'accepted' });
    },
    hear(message: Message, side: Side = 'outgoing'): void {
      send({ kind: 'connection', side, event: { kind: 'message', message } });
    },
    get state() {
      return stateName(session);
    },
    get up() {
      return effects.find((each) => each.kind === 'up');
    },
  };
}

const theirs = makeOpen(sessionConfig({ localAsn: 65_000, routerId: 101 }));

test('a peer that refuses one AS number is told the other, by turns', () => {
  const session = peer(DUAL);
  const tried: (number | undefined)[] = [];
  for (let round = 0; round < 4; round++) {
    tried.push(session.dial());
    session.hear(BAD_PEER_AS);
  }
  assert.deepEqual(tried, [OTHER, OWN, OTHER, OWN]);
});

const SIDES = ['outgoing', 'incoming'] as const;
for (const sides of [SIDES, SIDES.toReversed()]) {
  for (const isAnswered of [false, true]) {
    const when = isAnswered ? 'after their OPEN' : 'at once';
    test(`refused on both connections ${when}, ${sides[0]} first, the other number is told`, () => {
      const session = peer(DUAL);
      const tried: (number | undefined)[] = [];
      for (let round = 0; round < 4; round++) {
        tried.push(session.dial());
        session.accept();
        for (const side of sides) if (isAnswered) session.hear(theirs, side);
        for (const side of sides) session.hear(BAD_PEER_AS, side);
      }
      assert.deepEqual(tried, [OTHER, OWN, OTHER, OWN]);
    });
  }
}

test('a refusal of what the peer has agreed to changes nothing', () => {
  const session = peer(DUAL);
  session.dial();
  session.hear(theirs);
  session.hear(KEEPALIVE);
  assert.equal(session.state, 'Established');
  session.hear(BAD_PEER_AS);
  assert.equal(session.dial(), OTHER);
});

test('what the session has settled on is known', () => {
  const session = peer(DUAL);
  session.dial();
  session.hear(BAD_PEER_AS);
  assert.equal(session.dial(), OWN);
  session.hear(theirs);
  session.hear(KEEPALIVE);
  assert.equal(session.state, 'Established');
  assert.equal(session.up?.kind === 'up' && session.up.negotiated.usesDualAsn, true);
});

test('other refusals, and peers with one AS number for us, change nothing', () => {
  const session = peer(DUAL);
  session.dial();
  session.hear({ ...BAD_PEER_AS, subcode: OpenError.BadIdentifier });
  assert.equal(session.dial(), OTHER);
  const single = peer({ localAsn: OTHER, remoteAsn: 65_000 });
  single.dial();
  single.hear(BAD_PEER_AS);
  assert.equal(single.dial(), OTHER);
  single.hear(theirs);
  single.hear(KEEPALIVE);
  assert.equal(single.up?.kind === 'up' && single.up.negotiated.usesDualAsn, undefined);
});
