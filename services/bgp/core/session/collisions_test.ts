// Several connections to one peer: RFC 4271 section 6.8.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cease, KEEPALIVE } from '@calico/bgp-wire';
import { SessionDriver as Driver, remoteOpen } from '../../testing/session_driver.ts';

test('the end with the higher identifier closes the connection that it did not dial', () => {
  const driver = new Driver({ routerId: 200 }).send({ kind: 'start' }).send({ kind: 'accepted' });
  driver.on('outgoing', { kind: 'opened' }).hear('incoming', remoteOpen());
  assert.equal(driver.session.connections.incoming.kind, 'open-confirm');
  driver.hear('outgoing', remoteOpen());
  assert.deepEqual(driver.acted, [
    'incoming: send Cease: Connection collision resolution',
    'incoming: close',
    'read-as',
    'send keepalive',
  ]);
  driver.hear('outgoing', KEEPALIVE);
  assert.equal(driver.state, 'Established');
});

test('the end with the lower identifier keeps both until the other decides', () => {
  const driver = new Driver().send({ kind: 'start' }).send({ kind: 'accepted' });
  driver.on('outgoing', { kind: 'opened' });
  driver.hear('incoming', remoteOpen()).hear('outgoing', remoteOpen());
  assert.deepEqual(driver.acted, ['read-as', 'send keepalive']);
  driver.hear('outgoing', KEEPALIVE);
  assert.deepEqual(driver.acted, ['up']);
  // The peer decided for the other one.
  driver.hear('incoming', KEEPALIVE);
  assert.deepEqual(driver.acted, [
    'close',
    'down graceful: Connection collision resolution',
    'incoming: up in place of another',
  ]);
  assert.equal(driver.state, 'Established');
});

test('the end with the lower identifier gives up what it dialled, not an established session', () => {
  const driver = new Driver().send({ kind: 'start' }).send({ kind: 'accepted' });
  driver.on('outgoing', { kind: 'opened' });
  driver.hear('incoming', remoteOpen()).hear('outgoing', remoteOpen());
  driver.hear('incoming', KEEPALIVE);
  assert.deepEqual(driver.acted, ['incoming: up']);
  // Sent before the peer knew of both connections.
  driver.hear('outgoing', KEEPALIVE);
  assert.deepEqual(driver.acted, ['send Cease: Connection collision resolution', 'close']);
  assert.equal(driver.session.connections.incoming.kind, 'established');
});

test('routes outlast an established connection that loses a collision', () => {
  const driver = new Driver().send({ kind: 'start' }).send({ kind: 'accepted' });
  driver.on('outgoing', { kind: 'opened' });
  driver.hear('incoming', remoteOpen()).hear('outgoing', remoteOpen(), KEEPALIVE);
  const notification = cease(7);
  driver.on('outgoing', { kind: 'message', message: notification });
  const reason = 'Received: Cease: Connection collision resolution';
  assert.deepEqual(driver.acted, ['close', `down graceful: ${reason}`]);
  driver.hear('incoming', KEEPALIVE);
  assert.deepEqual(driver.acted, ['close', 'incoming: up in place of another']);
});

test('a peer that connects again after a while has restarted', () => {
  const driver = new Driver().establish();
  driver.now = 10_000;
  driver.send({ kind: 'accepted' });
  assert.equal(driver.state, 'Established', 'a bare connection changes nothing yet');
  driver.hear('incoming', remoteOpen());
  assert.ok(driver.acted.includes('down graceful: The peer has restarted'));
  driver.hear('incoming', KEEPALIVE);
  assert.deepEqual(driver.acted, ['incoming: up']);
  driver.now = 20_000;
  driver.send({ kind: 'accepted' }).hear('second', remoteOpen(), KEEPALIVE);
  assert.equal(driver.session.connections.second.kind, 'established');
  assert.equal(driver.session.connections.incoming.kind, 'idle');
});

test('without graceful restart the established connection stays (RFC 4271 section 6.8)', () => {
  const driver = new Driver({ gracefulRestart: undefined }).establish();
  driver.now = 10_000;
  driver.send({ kind: 'accepted' }).hear('incoming', remoteOpen());
  assert.deepEqual(driver.acted, [
    'incoming: send Cease: Connection collision resolution',
    'incoming: close',
  ]);
  assert.equal(driver.state, 'Established');
});

test('strangers who connect and talk nonsense disturb nothing', () => {
  const nonsense = {
    kind: 'malformed',
    notification: { kind: 'notification', code: 1, subcode: 1, data: new Uint8Array() },
    reason: 'marker',
  } as const;
  const driver = new Driver().establish();
  driver.now = 10_000;
  for (let round = 0; round < 5; round++) {
    driver.send({ kind: 'accepted' }).on('incoming', nonsense);
    assert.equal(driver.state, 'Established');
  }
  const dialling = new Driver().send({ kind: 'start' });
  dialling.on('outgoing', { kind: 'closed', reason: 'Connection refused' });
  dialling.send({ kind: 'accepted' }).on('incoming', nonsense);
  assert.equal(dialling.session.phase, 'running');
  // Three at once: the newest takes the place of one that has not said a word.
  const crowded = new Driver().send({ kind: 'start' });
  for (let round = 0; round < 5; round++) crowded.send({ kind: 'accepted' });
  assert.ok(crowded.acted.includes('incoming: adopt'));
  crowded.hear('incoming', remoteOpen(), KEEPALIVE);
  assert.equal(crowded.state, 'Established');
});

test('strangers who connect and say nothing do not keep us from dialling', () => {
  const notification = {
    kind: 'notification',
    code: 2,
    subcode: 2,
    data: new Uint8Array(),
  } as const;
  const rejected = { kind: 'message', message: cease(5) } as const;
  for (const [event, delayMs] of [
    [{ kind: 'closed', reason: 'Connection reset' }, 1_500],
    [rejected, 1_500],
    [{ kind: 'message', message: notification }, 1_000],
  ] as const) {
    const driver = new Driver().send({ kind: 'start' }).on('outgoing', { kind: 'opened' });
    driver.send({ kind: 'accepted' }).on('outgoing', event);
    assert.ok(driver.did.includes(`set connect-retry ${delayMs}`), driver.did.join());
    assert.equal(driver.session.phase, 'running');
    driver.on('outgoing', { kind: 'timer', timer: 'connect-retry' });
    assert.deepEqual(driver.acted, ['dial']);
    // Was it the peer after all?
    driver.hear('incoming', remoteOpen(), KEEPALIVE);
    assert.equal(driver.state, 'Established');
  }
});

test('who dials while a stranger says nothing, and goes, is dialled again', () => {
  const driver = new Driver().send({ kind: 'start' });
  driver.on('outgoing', { kind: 'closed', reason: 'Connection refused' });
  driver.send({ kind: 'accepted' }).send({ kind: 'accepted' }).hear('incoming', remoteOpen());
  assert.ok(driver.did.includes('cancel connect-retry'));
  driver.on('incoming', { kind: 'closed', reason: 'Connection reset' });
  assert.ok(driver.did.includes('set connect-retry 1500'));
});

test('strangers who come and go do not put off the next attempt', () => {
  const driver = new Driver().send({ kind: 'start' });
  driver.on('outgoing', { kind: 'closed', reason: 'Connection refused' });
  driver.send({ kind: 'accepted' }).on('incoming', { kind: 'closed', reason: 'Connection reset' });
  assert.ok(!driver.did.some((text) => text.startsWith('set connect-retry')), driver.did.join());
});
