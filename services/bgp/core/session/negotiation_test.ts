import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeNotification, type Open } from '@calico/bgp-wire';
import { sessionConfig } from '../../testing/session_config.ts';
import { negotiate } from './negotiation.ts';
import { makeOpen } from './open_message.ts';
import type { Negotiated, SessionConfig } from './types.ts';

const REMOTE = { routerId: 101 };

function between(local: Partial<SessionConfig>, remote: Open): Negotiated {
  const config = sessionConfig(local);
  const result = negotiate(config, makeOpen(config), remote);
  assert.ok(result.kind === 'agreed', result.kind === 'refused' ? result.reason : '');
  return result.negotiated;
}

function agreed(local: Partial<SessionConfig>, remote: Partial<SessionConfig>): Negotiated {
  return between(local, makeOpen(sessionConfig({ ...REMOTE, ...remote })));
}

function refused(local: Partial<SessionConfig>, remote: Partial<SessionConfig>): string {
  const config = sessionConfig(local);
  const open = makeOpen(sessionConfig({ ...REMOTE, ...remote }));
  const result = negotiate(config, makeOpen(config), open);
  return result.kind === 'refused' ? describeNotification(result.notification) : 'agreed';
}

/** Families with path identifiers: of what is read, of what is written. */
function identified(local: Partial<SessionConfig>, remote: Partial<SessionConfig>) {
  const { context, sendContext } = agreed(local, remote);
  return [context.addPath, sendContext.addPath];
}

function times(ours: number, theirs: number, keepaliveSeconds?: number): number[] {
  const local = { holdTimeSeconds: ours, keepaliveSeconds };
  const negotiated = agreed(local, { holdTimeSeconds: theirs });
  return [negotiated.holdTimeSeconds, negotiated.keepaliveSeconds];
}

function offer(longLivedSeconds: number, keepsOnNotification = false) {
  const gracefulRestart = {
    restartTimeSeconds: 120,
    isRestarting: false,
    isForwardingPreserved: true,
    keepsOnNotification,
    longLivedSeconds,
  };
  return { families: [4, 6] as const, gracefulRestart };
}

test('families are those of both; none in common is refused', () => {
  assert.deepEqual(agreed({ families: [4, 6] }, { families: [6] }).families, [6]);
  assert.deepEqual(agreed({ families: [4, 6] }, { families: [6, 4] }).families, [4, 6]);
  assert.match(refused({ families: [4] }, { families: [6] }), /Unsupported capability/);
});

test('a peer without capabilities speaks IPv4 with two octets of AS number', () => {
  const plain = { ...makeOpen(sessionConfig(REMOTE)), capabilities: [] };
  const { families, context, canRefresh, gracefulRestart } = between({ families: [4, 6] }, plain);
  assert.deepEqual(families, [4]);
  assert.deepEqual(context, {
    fourOctetAs: false,
    extendedMessages: false,
    peerKind: 'internal',
    addPath: [],
  });
  assert.deepEqual([canRefresh, gracefulRestart], [false, undefined]);
});

test('extended next hops need both ends', () => {
  for (const [ours, theirs] of [
    [true, true],
    [true, false],
    [false, true],
  ] as const) {
    const { extendedNextHop } = agreed({ extendedNextHop: ours }, { extendedNextHop: theirs });
    assert.equal(extendedNextHop, ours && theirs);
  }
});

test('path identifiers: in each direction where one sends and the other receives', () => {
  const both = { addPathSend: true, addPathReceive: true, families: [4, 6] } as const;
  assert.deepEqual(identified(both, both), [
    [4, 6],
    [4, 6],
  ]);
  assert.deepEqual(identified(both, { ...both, addPathSend: false }), [[], [4, 6]]);
  assert.deepEqual(identified(both, { ...both, addPathReceive: false, families: [4] }), [[4], []]);
  assert.deepEqual(identified({ ...both, addPathSend: false }, both), [[4, 6], []]);
  assert.deepEqual(identified({}, both), [[], []]);
});

test('of several capabilities of one kind the last counts, or families of all of them do', () => {
  const families = [4, 6] as const;
  const of = (config: Partial<SessionConfig>) =>
    makeOpen(sessionConfig({ ...REMOTE, ...config })).capabilities;
  const local = { ...offer(60), families, addPathReceive: true, extendedNextHop: true };
  const { context, extendedNextHop, gracefulRestart } = between(local, {
    ...makeOpen(sessionConfig(REMOTE)),
    capabilities: [
      ...of({ ...offer(30, true), families: [4], addPathSend: true, extendedNextHop: true }),
      ...of({ ...offer(40), families: [6], addPathSend: true }),
      { kind: 'extended-next-hop', families: [] },
    ],
  });
  assert.deepEqual(context.addPath, [4, 6]);
  assert.equal(extendedNextHop, true);
  assert.deepEqual(gracefulRestart?.families, [6]);
  assert.deepEqual([...(gracefulRestart?.longLived ?? [])], [[6, 40]]);
});

test('hold and keepalive times are the smaller ones', () => {
  assert.deepEqual(times(90, 240), [90, 30]);
  assert.deepEqual(times(90, 9), [9, 3]);
  assert.deepEqual(times(90, 0), [0, 1]);
  assert.deepEqual(times(90, 90, 10), [90, 10]);
  assert.deepEqual(times(90, 90, 60), [90, 30]);
});

test('roles: opposite ones, none, or as strict as configured (RFC 9234)', () => {
  const external = { localAsn: 64512, remoteAsn: 65000 };
  const other = { localAsn: 65000, remoteAsn: 64512 };
  const verdict = (ours: Partial<SessionConfig>, theirs: Partial<SessionConfig>) =>
    refused({ ...external, ...ours }, { ...other, ...theirs });
  const mismatch = 'OPEN message error: Role mismatch';
  assert.equal(verdict({ role: 'provider' }, { role: 'customer' }), 'agreed');
  assert.equal(verdict({ role: 'customer' }, { role: 'provider' }), 'agreed');
  assert.equal(verdict({ role: 'route-server' }, { role: 'route-server-client' }), 'agreed');
  assert.equal(verdict({ role: 'peer' }, { role: 'peer' }), 'agreed');
  assert.equal(verdict({ role: 'peer' }, { role: 'customer' }), mismatch);
  assert.equal(verdict({ role: 'provider' }, { role: 'provider' }), mismatch);
  assert.equal(verdict({ role: 'provider' }, {}), 'agreed');
  assert.equal(verdict({ role: 'provider', isRoleStrict: true }, {}), mismatch);
  assert.equal(verdict({}, { role: 'customer' }), 'agreed');
});

test('a role that there is none of fits nobody (RFC 9234 section 4.2)', () => {
  const open = makeOpen(sessionConfig({ ...REMOTE, localAsn: 65000 }));
  const strange = { kind: 'unknown', code: 9, value: Uint8Array.of(5) } as const;
  const config = sessionConfig({ localAsn: 64512, remoteAsn: 65000, role: 'peer' });
  const capabilities = [...open.capabilities, strange];
  const result = negotiate(config, makeOpen(config), { ...open, capabilities });
  assert.equal(
    result.kind === 'refused' ? result.reason : '',
    'Cannot accept role "number 5": we are "peer"',
  );
});

test('long-lived stale times are those of the peer, for families of both (RFC 9494)', () => {
  const longLived = (ours: object, theirs: object) => [
    ...(agreed(ours, theirs).gracefulRestart?.longLived ?? []),
  ];
  assert.deepEqual(longLived(offer(60), offer(3_600)), [
    [4, 3_600],
    [6, 3_600],
  ]);
  assert.deepEqual(longLived(offer(60), { ...offer(3_600), families: [6] }), [[6, 3_600]]);
  assert.deepEqual(longLived(offer(0), offer(3_600)), []);
  assert.deepEqual(longLived(offer(60), offer(0)), []);
  const open = makeOpen(sessionConfig({ routerId: 101, ...offer(3_600) }));
  for (const without of ['graceful-restart', 'long-lived-graceful-restart', 'role']) {
    const capabilities = open.capabilities.filter(({ kind }) => kind !== without);
    const result = negotiate(sessionConfig(), makeOpen(sessionConfig()), { ...open, capabilities });
    assert.ok(result.kind === 'agreed');
    assert.equal(result.negotiated.knowsLongLived, without === 'role', without);
  }
  const { gracefulRestart } = agreed(offer(0, true), offer(0, true));
  assert.equal(gracefulRestart?.keepsOnNotification, true);
});

test('any AS number but ours is taken as it is said', () => {
  const external = { remoteAsn: { anyBut: [64512, 65100] } };
  const { remoteOpen, context } = agreed(external, { localAsn: 65000 });
  assert.deepEqual([remoteOpen.asn, context.peerKind], [65000, 'external']);
  for (const localAsn of [64512, 65100]) {
    assert.equal(refused(external, { localAsn }), 'OPEN message error: Bad peer AS');
  }
});
