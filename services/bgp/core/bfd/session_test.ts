import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BfdState, type ControlPacket, Diagnostic } from '@calico/bfd-wire';
import {
  type BfdSession,
  type BfdStep,
  detectionTime,
  newBfdSession,
  stepBfd,
  transmitInterval,
} from './session.ts';
import { nextState } from './transition.ts';
import type { BfdEffect, BfdSettings } from './types.ts';

const { AdminDown, Down, Init, Up } = BfdState;
const SETTINGS: BfdSettings = {
  minReceiveMs: 300,
  minTransmitMs: 300,
  detectMultiplier: 3,
  isMultihop: false,
};

const FROM_PEER: ControlPacket = {
  diagnostic: 0,
  state: Down,
  isPoll: false,
  isFinal: false,
  isControlPlaneIndependent: false,
  hasAuthentication: false,
  isDemand: false,
  detectMultiplier: 5,
  myDiscriminator: 77,
  yourDiscriminator: 1,
  desiredMinTransmit: 100_000,
  requiredMinReceive: 200_000,
  requiredMinEchoReceive: 0,
};

/** A session with what it sends, one event after the other. */
class Driven {
  session: BfdSession = newBfdSession(1, SETTINGS);
  settings = SETTINGS;
  effects: readonly BfdEffect[] = [];

  hears(packet: Partial<ControlPacket>): this {
    return this.#took(
      stepBfd(this.session, { kind: 'packet', packet: { ...FROM_PEER, ...packet } }, this.settings),
    );
  }

  timer(timer: 'transmit' | 'detect'): this {
    return this.#took(stepBfd(this.session, { kind: 'timer', timer }, this.settings));
  }

  configured(settings: Partial<BfdSettings>): this {
    this.settings = { ...this.settings, ...settings };
    return this.#took(stepBfd(this.session, { kind: 'configure' }, this.settings));
  }

  stopped(): this {
    return this.#took(stepBfd(this.session, { kind: 'stop' }, this.settings));
  }

  get sent(): ControlPacket[] {
    return this.effects.flatMap((effect) => (effect.kind === 'send' ? [effect.packet] : []));
  }

  timerOf(name: string) {
    return this.effects.find((effect) => effect.kind === 'set-timer' && effect.timer === name);
  }

  #took({ session, effects }: BfdStep): this {
    this.session = session;
    this.effects = effects;
    return this;
  }
}

function up(packet: Partial<ControlPacket> = {}): Driven {
  const driven = new Driven().hears({ ...packet, state: Init });
  // The peer confirms the intervals that came with the state.
  return driven.hears({ ...packet, state: Up, isFinal: true });
}

test('nextState() is the table of RFC 5880 section 6.8.6', () => {
  const table: readonly (readonly [BfdState, readonly [BfdState, BfdState, BfdState, BfdState]])[] =
    [
      // The peer says:  AdminDown Down Init Up
      [Down, [Down, Init, Up, Down]],
      [Init, [Down, Init, Up, Up]],
      [Up, [Down, Down, Up, Up]],
      [AdminDown, [Down, AdminDown, AdminDown, AdminDown]],
    ];
  for (const [local, row] of table) {
    for (const remote of [AdminDown, Down, Init, Up]) {
      assert.equal(nextState(local, remote), row[remote], `${local} hears ${remote}`);
    }
  }
});

test('three packets bring it up, slowly before and as configured afterwards', () => {
  const driven = new Driven();
  assert.equal(transmitInterval(driven.session), 1_000_000);
  driven.hears({ state: Down, yourDiscriminator: 0 });
  assert.equal(driven.session.state, Init);
  // It says so at once, with what it has learned.
  assert.deepEqual(
    driven.sent.map(({ state, yourDiscriminator }) => [state, yourDiscriminator]),
    [[Init, 77]],
  );
  driven.hears({ state: Up });
  assert.equal(driven.session.state, Up);
  assert.equal(driven.session.diagnostic, Diagnostic.None);
  const [packet] = driven.sent;
  assert.equal(packet?.desiredMinTransmit, 300_000);
  assert.equal(packet?.isPoll, true);
  assert.equal(transmitInterval(driven.session), 300_000);
  assert.equal(detectionTime(driven.session), 5 * 300_000);
  assert.ok(driven.effects.some(({ kind }) => kind === 'changed'));
});

test('the slower of both ends decides how often is sent and how long is waited', () => {
  const { session } = up({ requiredMinReceive: 700_000, desiredMinTransmit: 900_000 });
  assert.equal(transmitInterval(session), 700_000);
  assert.equal(detectionTime(session), 5 * 900_000);
});

test('silence for the detection time brings it down, and forgets who it was', () => {
  const driven = up().timer('detect');
  const { session } = driven;
  assert.deepEqual([session.state, session.cause], [Down, 'expired']);
  assert.equal(session.diagnostic, Diagnostic.DetectionTimeExpired);
  assert.deepEqual(
    driven.sent.map(({ state, yourDiscriminator }) => [state, yourDiscriminator]),
    [[Down, 0]],
  );
  assert.equal(transmitInterval(session), 1_000_000);
});

test('why the peer brings it down', () => {
  const causeOf = (packet: Partial<ControlPacket>): unknown => up().hears(packet).session.cause;
  assert.equal(causeOf({ state: Down, diagnostic: 1 }), 'signaled');
  assert.equal(causeOf({ state: AdminDown }), 'administrative');
  const fresh = { state: Down, myDiscriminator: 78, yourDiscriminator: 0 };
  assert.equal(causeOf(fresh), 'restarted');
  assert.equal(
    up()
      .hears(fresh)
      .hears({ ...fresh })
      .timer('detect').session.cause,
    'expired',
  );
});

test('a poll is answered at once, without a poll of its own in the same packet', () => {
  const driven = up().hears({ state: Up, isPoll: true });
  assert.deepEqual(
    driven.sent.map(({ isPoll, isFinal }) => [isPoll, isFinal]),
    [[false, true]],
  );
});

test('intervals that loosen come into force when the peer has confirmed them', () => {
  const driven = up().configured({ minTransmitMs: 500, minReceiveMs: 50 });
  assert.equal(driven.sent[0]?.isPoll, true);
  assert.equal(driven.sent[0]?.desiredMinTransmit, 500_000);
  assert.equal(transmitInterval(driven.session), 300_000);
  assert.equal(detectionTime(driven.session), 5 * 300_000);
  driven.hears({ state: Up, isFinal: true });
  assert.equal(transmitInterval(driven.session), 500_000);
  assert.equal(detectionTime(driven.session), 5 * 100_000);
  assert.equal(driven.timer('transmit').sent[0]?.isPoll, false);
});

test('intervals that tighten are in force at once', () => {
  const driven = up().configured({ minTransmitMs: 200, minReceiveMs: 800 });
  assert.equal(transmitInterval(driven.session), 200_000);
  assert.equal(detectionTime(driven.session), 5 * 800_000);
  assert.ok(driven.timerOf('transmit'));
});

test('nothing is sent to a peer that wants nothing, in demand mode or otherwise', () => {
  assert.deepEqual(up().hears({ state: Up, isDemand: true }).timer('transmit').sent, []);
  assert.deepEqual(up().hears({ state: Up, requiredMinReceive: 0 }).timer('transmit').sent, []);
  // A poll is sent all the same.
  const driven = up().hears({ state: Up, isDemand: true }).configured({ minReceiveMs: 400 });
  assert.equal(driven.timer('transmit').sent[0]?.isPoll, true);
});

test('a packet with authentication is discarded', () => {
  const before = up().session;
  const driven = up().hears({ state: Down, hasAuthentication: true });
  assert.deepEqual(driven.session, before);
  assert.deepEqual(driven.effects, []);
});

test('the end is told, and nothing changes it', () => {
  const driven = up().stopped();
  assert.deepEqual(
    driven.sent.map(({ state, diagnostic }) => [state, diagnostic]),
    [[AdminDown, Diagnostic.AdministrativelyDown]],
  );
  assert.equal(driven.hears({ state: Up }).session.state, AdminDown);
});

test('jitter: up to a quarter, and never the whole interval when no packet may be lost', () => {
  const driven = up();
  assert.deepEqual(driven.timer('transmit').timerOf('transmit'), {
    kind: 'set-timer',
    timer: 'transmit',
    delayMs: 300,
    jitter: [0, 0.25],
  });
  driven.configured({ detectMultiplier: 1 });
  const timer = driven.timer('transmit').timerOf('transmit');
  assert.deepEqual(timer?.kind === 'set-timer' && timer.jitter, [0.1, 0.25]);
});
