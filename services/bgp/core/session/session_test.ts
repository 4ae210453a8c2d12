import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CeaseSubcode, cease, hardReset, KEEPALIVE, type Notification } from '@calico/bgp-wire';
import { SessionDriver as Driver, remoteOpen, UPDATE } from '../../testing/session_driver.ts';
import type { SessionEvent } from './session.ts';
import type { ConnectionEvent, GracefulRestartOffer, Side } from './types.ts';

const OFFER: GracefulRestartOffer = {
  restartTimeSeconds: 120,
  isRestarting: false,
  isForwardingPreserved: true,
  keepsOnNotification: false,
  longLivedSeconds: 0,
};

test('start dials, and dials again when the attempt takes too long', () => {
  const driver = new Driver().send({ kind: 'start' });
  assert.deepEqual(driver.did, ['dial', 'set connect-retry 1500']);
  assert.equal(driver.state, 'Connect');
  driver.on('outgoing', { kind: 'timer', timer: 'connect-retry' });
  assert.deepEqual(driver.acted, ['close', 'dial']);
});

test('a refused attempt waits in Active and is repeated', () => {
  const driver = new Driver().send({ kind: 'start' });
  driver.on('outgoing', { kind: 'closed', reason: 'Connection refused' });
  assert.equal(driver.state, 'Active');
  assert.equal(driver.session.lastError, 'Connection refused');
  assert.ok(driver.did.includes('set connect-retry 1500'));
  driver.on('outgoing', { kind: 'timer', timer: 'connect-retry' });
  assert.equal(driver.state, 'Connect');
});

test('a passive session never dials', () => {
  const driver = new Driver({ isPassive: true }).send({ kind: 'start' });
  assert.deepEqual(driver.did, []);
  assert.equal(driver.state, 'Active');
  driver.on('outgoing', { kind: 'timer', timer: 'connect-retry' });
  assert.equal(driver.state, 'Active');
  driver.establish('incoming');
  assert.equal(driver.state, 'Established');
});

test('OPEN, KEEPALIVE and the timers of an established session', () => {
  const driver = new Driver().send({ kind: 'start' }).on('outgoing', { kind: 'opened' });
  assert.deepEqual(driver.did, ['cancel connect-retry', 'send open', 'set hold 240000']);
  driver.hear('outgoing', remoteOpen({ holdTimeSeconds: 30 }));
  assert.equal(driver.state, 'OpenConfirm');
  assert.deepEqual(driver.did, [
    'read-as',
    'cancel hold',
    'send keepalive',
    'set keepalive 10000',
    'set hold 30000',
  ]);
  driver.now = 5_000;
  driver.hear('outgoing', KEEPALIVE);
  assert.equal(driver.state, 'Established');
  assert.deepEqual(driver.did, ['set hold 30000', 'up']);
  assert.equal(driver.session.since, 5_000);
  driver.on('outgoing', { kind: 'timer', timer: 'keepalive' });
  assert.deepEqual(driver.did, ['send keepalive', 'set keepalive 10000']);
  driver.hear('outgoing', UPDATE);
  assert.deepEqual(driver.did, ['set hold 30000', 'update']);
});

test('a hold time of zero means neither hold timer nor keepalives', () => {
  const driver = new Driver({ holdTimeSeconds: 0 }).establish();
  assert.deepEqual(driver.did, ['up']);
});

test('the hold timer ends a session with a NOTIFICATION and a rest', () => {
  const driver = new Driver().establish();
  driver.on('outgoing', { kind: 'timer', timer: 'hold' });
  assert.deepEqual(driver.acted, [
    'send Hold timer expired',
    'close',
    'down hard: Sent: Hold timer expired',
    'rest 1000',
  ]);
  assert.equal(driver.state, 'Idle');
  assert.equal(driver.send({ kind: 'accepted' }).acted[0], 'refuse');
  driver.send({ kind: 'rested' });
  assert.equal(driver.state, 'Connect');
});

test('the rest after errors doubles up to its maximum, and a stable session clears it', () => {
  const driver = new Driver();
  const rests: string[] = [];
  for (let round = 0; round < 7; round++) {
    driver.establish().on('outgoing', { kind: 'timer', timer: 'hold' });
    rests.push(driver.acted.at(-1) ?? '');
    driver.send({ kind: 'rested' });
  }
  assert.deepEqual(rests, [
    'rest 1000',
    'rest 2000',
    'rest 4000',
    'rest 8000',
    'rest 16000',
    'rest 30000',
    'rest 30000',
  ]);
  driver.establish();
  driver.now += 60_000;
  driver.on('outgoing', { kind: 'timer', timer: 'hold' });
  assert.equal(driver.acted.at(-1), 'rest 1000');
});

test('delay open: the peer speaks first, or the timer ends', () => {
  const driver = new Driver({ delayOpenMs: 5_000 }).send({ kind: 'start' });
  driver.on('outgoing', { kind: 'opened' });
  assert.deepEqual(driver.did, ['cancel connect-retry', 'set delay-open 5000']);
  assert.equal(driver.state, 'Connect');
  driver.hear('outgoing', remoteOpen());
  assert.deepEqual(driver.did, [
    'cancel delay-open',
    'send open',
    'read-as',
    'cancel hold',
    'send keepalive',
    'set keepalive 30000',
    'set hold 90000',
  ]);
  driver.hear('outgoing', KEEPALIVE);
  assert.equal(driver.state, 'Established');

  const silent = new Driver({ delayOpenMs: 5_000 }).send({ kind: 'start' });
  silent.on('outgoing', { kind: 'opened' });
  silent.on('outgoing', { kind: 'timer', timer: 'delay-open' });
  assert.deepEqual(silent.acted, ['send open']);
  assert.equal(silent.state, 'OpenSent');
});

/** Connected, and the peer may speak first. */
function waiting(): Driver {
  const driver = new Driver({ delayOpenMs: 5_000 }).send({ kind: 'start' });
  return driver.on('outgoing', { kind: 'opened' });
}

test('delay open: whatever else comes first ends the attempt', () => {
  const lost = waiting().on('outgoing', { kind: 'closed', reason: 'gone' });
  assert.deepEqual([lost.acted, lost.state, lost.session.lastError], [['close'], 'Active', 'gone']);
  const odd = waiting().hear('outgoing', KEEPALIVE);
  assert.deepEqual([odd.acted, odd.state], [['close', 'rest 1000'], 'Idle']);
  assert.match(odd.session.lastError, /began with "keepalive"/);
  const stopped = waiting().send({ kind: 'stop', notification: cease(2) });
  assert.deepEqual(stopped.acted, ['close', 'cancel-idle-hold'], 'no NOTIFICATION before OPEN');
  // A stranger who connects and waits does not take the peer's place.
  const passive = new Driver({ delayOpenMs: 5_000, isPassive: true }).send({ kind: 'start' });
  for (let round = 0; round < 4; round++) passive.send({ kind: 'accepted' });
  assert.ok(passive.acted.includes('incoming: adopt'));
  passive.hear('incoming', remoteOpen(), KEEPALIVE);
  assert.equal(passive.state, 'Established');
});

test('a peer that takes nothing for too long is given up (RFC 9687)', () => {
  const driver = new Driver().establish();
  driver.on('outgoing', { kind: 'blocked' });
  assert.deepEqual(driver.did, ['set send-hold 480000']);
  driver.on('outgoing', { kind: 'unblocked' });
  assert.deepEqual(driver.did, ['cancel send-hold']);
  driver.on('outgoing', { kind: 'timer', timer: 'send-hold' });
  assert.deepEqual(driver.acted, [
    'send Send hold timer expired',
    'close',
    'down hard: Sent: Send hold timer expired',
    'rest 1000',
  ]);
  const slow = new Driver({ holdTimeSeconds: 600 });
  slow.establish('outgoing', remoteOpen({ holdTimeSeconds: 600 }));
  assert.deepEqual(slow.on('outgoing', { kind: 'blocked' }).did, ['set send-hold 1200000']);
  const impatient = new Driver({ sendHoldSeconds: 100 }).establish();
  assert.deepEqual(impatient.on('outgoing', { kind: 'blocked' }).did, ['set send-hold 100000']);
  const patient = new Driver({ sendHoldSeconds: 0 }).establish();
  assert.deepEqual(patient.on('outgoing', { kind: 'blocked' }).did, []);
  const timeless = new Driver({ holdTimeSeconds: 0 }).establish();
  assert.deepEqual(timeless.on('outgoing', { kind: 'blocked' }).did, []);
});

test('a NOTIFICATION keeps routes where both ends agree on it, unless it is hard (RFC 8538)', () => {
  const keeping = { ...OFFER, keepsOnNotification: true };
  const established = (ours = keeping, theirs = keeping) =>
    new Driver({ gracefulRestart: ours }).establish(
      'outgoing',
      remoteOpen({ gracefulRestart: theirs }),
    );
  const heard = (notification: Notification, driver = established()) =>
    driver.on('outgoing', { kind: 'message', message: notification }).acted;
  assert.match(heard(cease(4)).join(), /down graceful: Received: Cease: Administrative reset/);
  assert.match(heard(hardReset(cease(4))).join(), /down hard: Received: Cease: Hard reset: Cease/);
  assert.match(heard(cease(4), established(OFFER, keeping)).join(), /down hard/);
  assert.match(heard(cease(4), established(keeping, OFFER)).join(), /down hard/);
  const expired = established().on('outgoing', { kind: 'timer', timer: 'hold' });
  assert.match(expired.acted.join(), /send Hold timer expired,close,down graceful/);
  const ended = (notification: Notification) =>
    established().send({ kind: 'stop', notification }).acted.slice(0, 3);
  assert.deepEqual(ended(cease(3)), [
    'send Cease: Hard reset: Cease: Peer de-configured',
    'close',
    'down hard: Sent: Cease: Peer de-configured',
  ]);
  assert.deepEqual(ended(cease(6)), [
    'send Cease: Other configuration change',
    'close',
    'down graceful: Sent: Cease: Other configuration change',
  ]);
});

function resetFor(restMs: number | 'forever'): Driver {
  const event = { kind: 'reset', notification: cease(1), reason: 'too many', restMs } as const;
  return new Driver().establish().send(event);
}

test('a reset rests as long as it says, and does not count as an error', () => {
  const rested = resetFor(60_000);
  assert.deepEqual(rested.acted, [
    'send Cease: Maximum number of prefixes reached',
    'close',
    'down hard: too many',
    'rest 60000',
  ]);
  assert.deepEqual([rested.session.phase, rested.session.errors], ['resting', 0]);
  const gone = resetFor('forever');
  assert.ok(gone.acted.every((text) => !text.startsWith('rest')));
  gone.send({ kind: 'start' });
  assert.equal(gone.session.phase, 'resting');
  gone.send({ kind: 'stop', notification: undefined }).send({ kind: 'start' });
  assert.equal(gone.state, 'Connect');
});

test('a connection that is lost without a word ends gracefully and is dialled again', () => {
  const driver = new Driver().establish();
  driver.on('outgoing', { kind: 'closed', reason: 'Connection reset by peer' });
  assert.deepEqual(driver.acted, ['close', 'down graceful: Connection reset by peer']);
  assert.equal(driver.state, 'Active');
  const plain = new Driver({ gracefulRestart: undefined }).establish();
  plain.on('outgoing', { kind: 'closed', reason: 'Connection reset by peer' });
  assert.equal(plain.acted.at(-1), 'down hard: Connection reset by peer');
});

test('a NOTIFICATION ends the session hard', () => {
  const driver = new Driver().establish();
  const message = { kind: 'notification', code: 6, subcode: 2, data: new Uint8Array() } as const;
  driver.on('outgoing', { kind: 'message', message });
  assert.deepEqual(driver.acted.slice(0, 2), [
    'close',
    'down hard: Received: Cease: Administrative shutdown',
  ]);
});

test('what the peer said when it left is remembered while it does not answer', () => {
  const driver = new Driver().establish();
  const message = { kind: 'notification', code: 6, subcode: 2, data: new Uint8Array() } as const;
  driver.on('outgoing', { kind: 'message', message }).send({ kind: 'rested' });
  for (const reason of ['Connection refused', 'Connection reset by peer']) {
    driver.on('outgoing', { kind: 'timer', timer: 'connect-retry' });
    driver.on('outgoing', { kind: 'closed', reason });
    assert.equal(
      driver.session.lastError,
      `Received: Cease: Administrative shutdown; now: ${reason}`,
    );
  }
  driver.establish('incoming');
  assert.equal(driver.session.lastError, '');
});

test('what we have refused or said is remembered while the peer does not answer', () => {
  const wrong = new Driver().send({ kind: 'start' }).on('outgoing', { kind: 'opened' });
  wrong.on('outgoing', { kind: 'message', message: { ...remoteOpen(), asn: 65_009 } });
  const notification = cease(CeaseSubcode.AdministrativeReset);
  const reset = new Driver().establish().send({ kind: 'reset', notification, reason: 'Sent: x' });
  for (const [driver, said] of [
    [wrong, /^Cannot accept AS number "65009": \d+ is configured/],
    [reset, /^Sent: x/],
  ] as const) {
    assert.match(driver.session.refusal, said);
    driver.send({ kind: 'rested' }).on('outgoing', { kind: 'closed', reason: 'gone' });
    assert.match(driver.session.lastError, said);
    assert.match(driver.session.lastError, /; now: gone$/);
    driver.establish('incoming').on('incoming', { kind: 'closed', reason: 'lost' });
    const { lastError, refusal, lastLoss } = driver.session;
    assert.deepEqual([lastError, refusal, lastLoss?.reason], ['lost', '', 'lost']);
  }
});

test('stop and reset tell the peer', () => {
  const notification = {
    kind: 'notification',
    code: 6,
    subcode: 3,
    data: new Uint8Array(),
  } as const;
  const stopped = new Driver().establish().send({ kind: 'stop', notification });
  assert.deepEqual(stopped.acted, [
    'send Cease: Peer de-configured',
    'close',
    'down hard: Sent: Cease: Peer de-configured',
    'cancel-idle-hold',
  ]);
  const reset = new Driver().establish().send({ kind: 'reset', notification, reason: 'asked' });
  assert.deepEqual(reset.acted.slice(-2), ['down hard: asked', 'rest 1000']);
});

test('an OPEN that does not fit is refused with the subcode that says why', () => {
  for (const [open, reason] of [
    [remoteOpen({ localAsn: 65000 }), 'OPEN message error: Bad peer AS'],
    [remoteOpen({ routerId: 100 }), 'OPEN message error: Bad BGP identifier'],
    [remoteOpen({ families: [6] }), 'OPEN message error: Unsupported capability'],
  ] as const) {
    const driver = new Driver().send({ kind: 'start' }).on('outgoing', { kind: 'opened' });
    driver.hear('outgoing', open);
    assert.deepEqual(driver.acted.slice(0, 2), [`send ${reason}`, 'close']);
    assert.equal(driver.session.phase, 'resting');
  }
});

test('messages out of place are errors of the state machine', () => {
  const early = new Driver().send({ kind: 'start' }).on('outgoing', { kind: 'opened' });
  assert.match(early.hear('outgoing', UPDATE).acted[0] ?? '', /state machine error: subcode 1/);
  const confirm = new Driver().send({ kind: 'start' }).on('outgoing', { kind: 'opened' });
  confirm.hear('outgoing', remoteOpen(), UPDATE);
  assert.match(confirm.acted[0] ?? '', /state machine error: subcode 2/);
  const late = new Driver().establish().hear('outgoing', remoteOpen());
  assert.match(late.acted[0] ?? '', /state machine error: subcode 3/);
});

test('any events in any order: never two sessions, never a session without an end', () => {
  const open = remoteOpen();
  const notification = {
    kind: 'notification',
    code: 6,
    subcode: 4,
    data: new Uint8Array(),
  } as const;
  const connectionEvents: readonly ConnectionEvent[] = [
    { kind: 'opened' },
    { kind: 'closed', reason: 'gone' },
    { kind: 'timer', timer: 'hold' },
    { kind: 'timer', timer: 'keepalive' },
    { kind: 'timer', timer: 'connect-retry' },
    { kind: 'timer', timer: 'delay-open' },
    { kind: 'timer', timer: 'send-hold' },
    { kind: 'blocked' },
    { kind: 'unblocked' },
    { kind: 'message', message: open },
    { kind: 'message', message: KEEPALIVE },
    { kind: 'message', message: UPDATE },
    { kind: 'message', message: notification },
    { kind: 'malformed', notification, reason: 'broken' },
  ];
  const sides: readonly Side[] = ['outgoing', 'incoming', 'second'];
  const events: SessionEvent[] = [
    { kind: 'start' },
    { kind: 'stop', notification },
    { kind: 'reset', notification, reason: 'asked' },
    { kind: 'accepted' },
    { kind: 'accepted' },
    { kind: 'rested' },
    ...sides.flatMap((side) =>
      connectionEvents.map((event) => ({ kind: 'connection', side, event }) as const),
    ),
  ];
  const random = { value: 12345 };
  const pick = (): SessionEvent => {
    random.value = (Math.imul(random.value, 1103515245) + 12345) >>> 0;
    return events[(random.value >>> 8) % events.length] as SessionEvent;
  };
  let driver = new Driver();
  let isUp = false;
  for (let step = 0; step < 100_000; step++) {
    if (step === 50_000) {
      isUp = false;
      driver = new Driver({ delayOpenMs: 1_000 });
    }
    driver.now += 200;
    driver.send(pick());
    for (const { kind } of driver.effects) {
      if (kind === 'up') {
        assert.equal(isUp, false, 'up twice');
        isUp = true;
      } else if (kind === 'down') {
        assert.equal(isUp, true, 'down twice');
        isUp = false;
      }
    }
    const established = Object.values(driver.session.connections).filter(
      ({ kind }) => kind === 'established',
    ).length;
    assert.equal(established, isUp ? 1 : 0);
  }
});
