// Every state's answer to every event of RFC 4271 section 8.1 that can reach it; section 8.2.2 has the answers.
// Other than there, a lost connection (event 18) is never followed by a rest: a peer that restarts dials at once.
// A NOTIFICATION is not answered by one (event 25 in OpenSent), and what cannot be read is answered by the code of
// section 6 in every state (events 21 and 22 in Established).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cease, ErrorCode, KEEPALIVE, type Notification, OpenError } from '@calico/bgp-wire';
import { remoteOpen, SessionDriver, UPDATE } from '../../testing/session_driver.ts';
import type { SessionEvent } from './session.ts';
import type { ConnectionEvent } from './types.ts';

function notification(code: number, subcode: number): Notification {
  return { kind: 'notification', code, subcode, data: new Uint8Array() };
}

function hears(event: ConnectionEvent): SessionEvent {
  return { kind: 'connection', side: 'outgoing', event };
}

const timer = (name: 'connect-retry' | 'hold' | 'keepalive' | 'delay-open'): SessionEvent =>
  hears({ kind: 'timer', timer: name });
const malformed = (code: number, subcode: number): SessionEvent =>
  hears({ kind: 'malformed', notification: notification(code, subcode), reason: 'broken' });
const message = (each: Extract<ConnectionEvent, { kind: 'message' }>['message']): SessionEvent =>
  hears({ kind: 'message', message: each });

/** By their numbers in the RFC; those that are one event here under the first of them. */
const EVENTS: Readonly<Record<number, SessionEvent>> = {
  1: { kind: 'start' },
  2: { kind: 'stop', notification: cease(2) },
  8: { kind: 'reset', notification: cease(4), reason: 'asked' },
  9: timer('connect-retry'),
  10: timer('hold'),
  11: timer('keepalive'),
  12: timer('delay-open'),
  13: { kind: 'rested' },
  16: hears({ kind: 'opened' }),
  18: hears({ kind: 'closed', reason: 'gone' }),
  19: message(remoteOpen()),
  21: malformed(ErrorCode.Header, 1),
  22: malformed(ErrorCode.Open, OpenError.UnacceptableHoldTime),
  24: message(notification(ErrorCode.Open, OpenError.UnsupportedVersion)),
  25: message(cease(4)),
  26: message(KEEPALIVE),
  27: message(UPDATE),
  28: malformed(ErrorCode.Update, 1),
};

const OPENED = hears({ kind: 'opened' });
const CONFIRM = [OPENED, message(remoteOpen())];

const STATES: Readonly<Record<string, readonly SessionEvent[]>> = {
  Connect: [],
  Active: [hears({ kind: 'closed', reason: 'refused' })],
  DelayOpen: [OPENED],
  OpenSent: [OPENED],
  OpenConfirm: CONFIRM,
  Established: [...CONFIRM, message(KEEPALIVE)],
};

/** A session in that state, dialled by us. */
function sessionIn(name: string): SessionDriver {
  const delayOpenMs = name === 'DelayOpen' ? 5_000 : 0;
  const driver = new SessionDriver({ delayOpenMs }).send({ kind: 'start' });
  for (const event of STATES[name] ?? []) driver.send(event);
  return driver;
}

/**
 * What is sent, and where that leads: "Idle" is the rest after an error (DampPeerOscillations), "Active" and
 * "Connect" go on trying. Messages without a place are answered by the codes of RFC 6608.
 */
function answer(name: string, event: SessionEvent): string {
  const driver = sessionIn(name).send(event);
  const sent = driver.acted.filter((text) => /^(dial|send) ?/.test(text));
  const { phase } = driver.session;
  const state = phase === 'stopped' ? 'Stopped' : phase === 'resting' ? 'Idle' : driver.state;
  return [...sent.map((text) => text.replace('send ', '')), state].join(', ');
}

const HOLD = 'Hold timer expired, Idle';
const misplaced = (state: number): string => `Finite state machine error: subcode ${state}, Idle`;
const HEADER = 'Message header error: Connection not synchronized, Idle';
const HOLD_TIME = 'OPEN message error: Unacceptable hold time, Idle';
const UPDATE_ERROR = 'UPDATE message error: Malformed attribute list, Idle';
const RESET = 'Cease: Administrative reset, Idle';
const SHUTDOWN = 'Cease: Administrative shutdown, Stopped';

const TABLE: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  Connect: { 1: 'Connect', 2: 'Stopped', 8: 'Idle', 9: 'dial, Connect', 18: 'Active' },
  Active: { 1: 'Active', 2: 'Stopped', 8: 'Idle', 9: 'dial, Connect' },
  DelayOpen: {
    1: 'Connect',
    2: 'Stopped',
    8: 'Idle',
    12: 'open, OpenSent',
    18: 'Active',
    19: 'open, keepalive, OpenConfirm',
    21: 'Idle',
    22: `open, ${HOLD_TIME}`,
    24: 'Active',
    25: 'Idle',
    26: 'Idle',
    27: 'Idle',
    28: 'Idle',
  },
  OpenSent: {
    1: 'OpenSent',
    2: SHUTDOWN,
    8: RESET,
    10: HOLD,
    18: 'Active',
    19: 'keepalive, OpenConfirm',
    21: HEADER,
    22: HOLD_TIME,
    24: 'Active',
    25: 'Idle',
    26: misplaced(1),
    27: misplaced(1),
    28: misplaced(1),
  },
  OpenConfirm: {
    1: 'OpenConfirm',
    2: SHUTDOWN,
    8: RESET,
    10: HOLD,
    11: 'keepalive, OpenConfirm',
    18: 'Active',
    19: misplaced(2),
    21: HEADER,
    22: HOLD_TIME,
    24: 'Active',
    25: 'Idle',
    26: 'Established',
    27: misplaced(2),
    28: misplaced(2),
  },
  Established: {
    1: 'Established',
    2: SHUTDOWN,
    8: RESET,
    10: HOLD,
    11: 'keepalive, Established',
    18: 'Active',
    19: misplaced(3),
    21: HEADER,
    22: HOLD_TIME,
    24: 'Active',
    25: 'Idle',
    26: 'Established',
    27: 'Established',
    28: UPDATE_ERROR,
  },
};

for (const [state, answers] of Object.entries(TABLE)) {
  test(`events of RFC 4271 section 8.1 in ${state}`, () => {
    const found = Object.keys(answers).map((number) => [
      number,
      answer(state, EVENTS[Number(number)] as SessionEvent),
    ]);
    assert.deepEqual(Object.fromEntries(found), answers);
  });
}

test('a message without a place is told its type, also where it cannot be read (RFC 6608 section 4)', () => {
  const refresh = { kind: 'route-refresh', afi: 1, safi: 1, subtype: 0 } as const;
  for (const [state, event, expected] of [
    ['OpenSent', message(KEEPALIVE), [5, 1, 4]],
    ['OpenSent', message(UPDATE), [5, 1, 2]],
    ['OpenSent', malformed(ErrorCode.Update, 1), [5, 1, 2]],
    ['OpenSent', malformed(ErrorCode.RouteRefresh, 1), [5, 1, 5]],
    ['OpenConfirm', message(remoteOpen()), [5, 2, 1]],
    ['OpenConfirm', message(refresh), [5, 2, 5]],
    ['OpenConfirm', malformed(ErrorCode.RouteRefresh, 1), [5, 2, 5]],
    ['Established', message(remoteOpen()), [5, 3, 1]],
  ] as const) {
    const [sent] = sessionIn(state)
      .send(event)
      .effects.flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []));
    assert.ok(sent?.kind === 'notification');
    assert.deepEqual([sent.code, sent.subcode, ...sent.data], expected);
  }
});

test('no connection is left, and no timer runs, after an event that ends one', () => {
  for (const state of ['DelayOpen', 'OpenSent', 'OpenConfirm', 'Established']) {
    for (const number of [2, 8, 18, 21, 22, 24, 25, 28]) {
      const driver = sessionIn(state).send(EVENTS[number] as SessionEvent);
      const open = Object.values(driver.session.connections).filter(
        ({ kind }) => kind !== 'idle' && kind !== 'active',
      );
      assert.deepEqual(open, [], `${state}, event ${number}`);
      for (const name of ['hold', 'keepalive', 'delay-open', 'send-hold']) {
        assert.ok(driver.did.includes(`cancel ${name}`), `${state}, event ${number}: ${name}`);
      }
    }
  }
});

test('what has not been started, and what rests, answers to nothing else (Idle)', () => {
  const idle = Object.entries(EVENTS).filter(([number]) => number !== '1' && number !== '16');
  for (const [number, event] of idle) {
    const driver = new SessionDriver().send(event);
    assert.equal(driver.session.phase, 'stopped', number);
    assert.deepEqual(
      driver.acted.filter((text) => text !== 'cancel-idle-hold'),
      [],
      number,
    );
  }
  const resting = sessionIn('Established').send(EVENTS[10] as SessionEvent);
  assert.deepEqual(resting.send({ kind: 'start' }).did, []);
  assert.deepEqual(resting.send({ kind: 'accepted' }).did, ['refuse']);
  assert.deepEqual(resting.send({ kind: 'rested' }).acted, ['dial']);
});

test('a peer that does not take us, yet or for now, is dialled again without a rest (RFC 4486)', () => {
  for (const subcode of [5, 8]) {
    for (const state of ['OpenSent', 'OpenConfirm']) {
      assert.equal(answer(state, message(cease(subcode))), 'Active');
    }
  }
});

test('a peer that ends the session for want of room gets the table again after a rest, longer each time', () => {
  for (const subcode of [5, 8]) {
    const driver = sessionIn('Established').send(message(cease(subcode)));
    assert.equal(driver.did.at(-1), 'rest 1000');
    driver
      .send({ kind: 'rested' })
      .establish()
      .send(message(cease(subcode)));
    assert.deepEqual([driver.session.errors, driver.did.at(-1)], [2, 'rest 2000']);
  }
});

test('KEEPALIVEs come at random times, never more than one a second (RFC 4271 sections 4.4 and 10)', () => {
  for (const [holdTimeSeconds, most, least] of [
    [90, 30, 22.5],
    [6, 2, 1.5],
    [3, 1, 1],
  ] as const) {
    const driver = new SessionDriver({ holdTimeSeconds }).establish();
    driver.on('outgoing', { kind: 'timer', timer: 'keepalive' });
    const [set] = driver.effects.flatMap((effect) =>
      effect.kind === 'set-timer' && effect.timer === 'keepalive' ? [effect] : [],
    );
    assert.equal(set?.delayMs, most * 1000);
    assert.equal((set?.delayMs ?? 0) * (1 - (set?.jitter ?? 0)), least * 1000);
  }
});

test('a connection that loses a collision before our OPEN is closed without a word', () => {
  const driver = new SessionDriver({ delayOpenMs: 5_000, routerId: 200 }).establish();
  driver.send({ kind: 'accepted' }).hear('incoming', remoteOpen());
  assert.equal(driver.state, 'Established');
  assert.deepEqual(driver.acted, ['incoming: close']);
});
