import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { HealthRegistry } from '@calico/telemetry';
import { shortened } from '../core/kernel/shortened.ts';
import type { PeerStatus, Reporter } from '../ports.ts';
import { HealthTeller } from './health_teller.ts';

function start() {
  const lines: string[] = [];
  const told: string[] = [];
  const note =
    (level: string) =>
    (message: string, fields: object = {}) =>
      void lines.push([level, message, ...Object.values(fields)].join(' '));
  const next: Reporter = {
    peers: (peers) => told.push(`${peers.length} peers`),
    applied: (revision) => told.push(`applied ${revision}`),
    health: ({ messages, recent }) =>
      told.push(`${messages.length} messages, ${recent.length} recent`),
  };
  const health = new HealthRegistry();
  const teller = new HealthTeller(next, health, { info: note('info'), warn: note('warn') });
  return { teller, health, lines, told };
}

function peer(key: string, state: string, refusal = '', lost = ''): PeerStatus {
  return {
    key,
    address: parseAddress(key),
    port: 179,
    remoteAsn: 65_001,
    type: 'global',
    state,
    since: 0,
    lastError: refusal,
    refusal,
    losses: 0,
    lastLoss: lost === '' ? undefined : { at: 0, reason: lost },
    received: 0,
    rejected: 0,
    stale: 0,
    advertised: 0,
    remoteNode: undefined,
    bfd: undefined,
    isPassing: false,
    agreed: [],
  };
}

function names(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `problem ${from + index}`);
}

test('HealthTeller logs each problem when it begins and when it is over, and reports readiness', () => {
  const { teller, health, lines, told } = start();
  teller.health({ ready: false, messages: ['A is missing', 'B is wrong'], recent: [] });
  assert.equal(health.describe(), 'speaker: not ready (A is missing; B is wrong)\n');
  teller.health({ ready: true, messages: ['B is wrong'], recent: ['C was wrong'] });
  teller.health({ ready: true, messages: [], recent: [] });
  assert.equal(health.describe(), 'speaker: ready\n');
  assert.deepEqual(lines, [
    'warn A is missing',
    'warn B is wrong',
    'info No longer: A is missing',
    'info No longer: B is wrong',
  ]);
  teller.applied(7n, true);
  assert.deepEqual(told, [
    '2 messages, 0 recent',
    '1 messages, 1 recent',
    '0 messages, 0 recent',
    'applied 7',
  ]);
});

test('of very many problems the log says those that have begun or are over since, and none that lasts', () => {
  const { teller, health, lines } = start();
  const says = (messages: readonly string[], expected: readonly string[]) => {
    lines.length = 0;
    teller.health({ ready: true, messages, recent: [] });
    assert.deepEqual(lines, expected);
  };
  teller.health({ ready: true, messages: names(0, 100), recent: [] });
  assert.deepEqual(lines.slice(19), ['warn problem 19', 'warn and 80 more']);
  // At the front, in the middle and at the end.
  says(['new', ...names(0, 100)], ['warn new']);
  says(names(1, 101), ['warn problem 100', 'info No longer: new', 'info No longer: problem 0']);
  says([...names(1, 50), ...names(51, 101)], ['info No longer: problem 50']);
  assert.match(health.describe(), /^speaker: ready \(problem 1; .*; and 79 more\)$/m);
  says(names(1, 5), [
    ...names(5, 25).map((name) => `info No longer: ${name}`),
    'info No longer: and 75 more',
  ]);
});

test('of a list that is shortened the log says once that there are more, whatever their number', () => {
  const { teller, lines } = start();
  const says = (problems: readonly string[], expected: readonly string[], other = 'other') => {
    lines.length = 0;
    const messages = [...shortened(problems, problems.length, 'problems'), other];
    teller.health({ ready: true, messages, recent: [] });
    assert.deepEqual(lines, expected);
  };
  says(names(0, 19), [...names(0, 19).map((name) => `warn ${name}`), 'warn other']);
  says(names(0, 500), ['warn problem 19', 'warn 480 more problems']);
  for (const count of [499, 30, 400]) says(names(0, count), []);
  // Nobody knows whether the first is over; what is of another kind is.
  says(names(1, 400), ['warn problem 20', 'warn another', 'info No longer: other'], 'another');
  // All are named again.
  says(
    names(2, 10),
    [...names(1, 2), ...names(10, 21)]
      .map((name) => `info No longer: ${name}`)
      .concat('info No longer: 379 more problems'),
    'another',
  );
});

test('a problem that others have pushed out of a list is not said to be over', () => {
  const { teller, lines } = start();
  const tell = (problems: readonly string[]) => {
    const messages = shortened(problems, problems.length, 'problems');
    teller.health({ ready: true, messages, recent: [] });
    return lines.splice(0);
  };
  tell(names(0, 20));
  assert.deepEqual(tell(['new', ...names(0, 20)]), ['warn new', 'warn 1 more problems']);
  assert.deepEqual(tell(['newer', 'new', ...names(0, 20)]), ['warn newer']);
});

test('HealthTeller logs once what a peer refuses, unless the end of a session has said it', () => {
  const { teller, lines } = start();
  const [a, b] = ['10.0.0.1', '10.0.0.2'];
  teller.peers([peer(a, 'OpenSent'), peer(b, 'Established')]);
  const refusing = [
    peer(a, 'Idle', 'Received: Bad peer AS'),
    peer(b, 'Idle', 'Sent: Cease', 'Sent: Cease'),
  ];
  teller.peers(refusing);
  teller.peers(refusing);
  assert.deepEqual(lines, [`warn session refused ${a} 65001 Idle Received: Bad peer AS`]);
  teller.peers([peer(a, 'Idle', 'Sent: other'), peer(b, 'Idle', 'Sent: other')]);
  assert.equal(lines.length, 3);
});

test('what both ends refuse in turns is logged once each, until the peer was established', () => {
  const { teller, lines } = start();
  const says = (state: string, refusal: string, expected: number) => {
    lines.length = 0;
    teller.peers([peer('10.0.0.1', state, refusal)]);
    assert.equal(lines.length, expected, `${state} ${refusal}`);
  };
  const [sent, received] = ['Sent: Bad peer AS', 'Received: Bad peer AS'];
  says('Idle', sent, 1);
  says('Active', received, 1);
  for (const refusal of [sent, '', received, sent, received]) says('Idle', refusal, 0);
  says('Established', '', 0);
  says('Idle', sent, 1);
  // One that speaks of something else each time leaves nothing behind.
  for (const other of ['a', 'b', 'c', 'd']) says('Idle', other, 1);
  says('Idle', 'd', 0);
  says('Idle', sent, 1);
  teller.peers([]);
  says('Idle', sent, 1);
});
