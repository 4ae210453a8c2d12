import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import { bgpPeer, node } from '../../testing/resources.ts';
import { deriveSpeaker } from '../cluster/derive_speaker.ts';
import { resourcesOf } from '../cluster/resources.ts';
import { NO_SURROUNDINGS } from '../cluster/surroundings.ts';
import type { PeerConfig } from './config.ts';
import { Guests, type PeerRange } from './guests.ts';
import { Speaker } from './speaker.ts';

function range(prefix: string, limit: number): PeerRange {
  const template = { key: prefix, policy: { localAsn: limit } } as unknown as PeerConfig;
  return { prefix: parsePrefix(prefix), limit, template };
}

const RANGES = [range('10.0.0.0/8', 2), range('10.1.0.0/16', 1)];

function admit(guests: Guests, text: string): number | undefined {
  return guests.admit(parseAddress(text), { ranges: RANGES })?.policy.localAsn;
}

test('the narrowest range lets in, as many as it may', () => {
  const guests = new Guests();
  assert.equal(admit(guests, '192.0.2.1'), undefined);
  assert.equal(admit(guests, '10.1.0.1'), 1);
  assert.equal(admit(guests, '10.1.0.2'), undefined);
  assert.equal(admit(guests, '10.2.0.1'), 2);
  assert.equal(admit(guests, '10.2.0.2'), 2);
  assert.equal(admit(guests, '10.2.0.3'), undefined);
  guests.dismiss('10.2.0.1');
  assert.equal(admit(guests, '10.2.0.3'), 2);
});

test('a range for all is none for link-local addresses', () => {
  const guests = new Guests();
  const all = { ranges: [range('::/0', 9)] };
  assert.equal(guests.admit(parseAddress('fe80::1'), all), undefined);
  assert.equal(guests.admit(parseAddress('2001:db8::1'), all)?.policy.localAsn, 9);
});

test('guests go with their range, and when they are configured by their address', () => {
  const guests = new Guests();
  for (const text of ['10.1.0.1', '10.2.0.1', '10.2.0.2']) admit(guests, text);
  const configured = { key: '10.2.0.2' } as PeerConfig;
  const ranges = [range('10.2.0.0/16', 9)];
  const all = guests.join(new Map([['10.2.0.2', configured]]), { ranges });
  assert.deepEqual([...all.keys()], ['10.2.0.2', '10.2.0.1']);
  assert.equal(all.get('10.2.0.2'), configured);
  assert.equal(all.get('10.2.0.1')?.policy.localAsn, 9);
  assert.deepEqual(
    ['10.1.0.1', '10.2.0.1', '10.2.0.2'].map((key) => guests.has(key)),
    [false, true, false],
  );
});

test('who is waited for is no guest of a wider range, but of a narrower one', () => {
  const guests = new Guests();
  assert.equal(admit(guests, '10.1.0.1'), 1);
  assert.equal(admit(guests, '10.2.0.7'), 2);
  const awaited = ['10.0.0.0/15', '10.2.0.7/32'].map((text) => ({
    prefix: parsePrefix(text),
    interface: undefined,
  }));
  const doors = { ranges: RANGES, awaited: [...awaited, { prefix: undefined, interface: 'eth1' }] };
  assert.deepEqual([...guests.join(new Map(), doors).keys()], ['10.1.0.1']);
  const admitted = ['10.2.0.7', '10.0.255.1', '10.3.0.1'].map(
    (text) => guests.admit(parseAddress(text), doors)?.policy.localAsn,
  );
  assert.deepEqual(admitted, [undefined, undefined, 2]);
});

test('a peer whose password is missing does not come in without one, by the range of another', () => {
  const password = { secretKeyRef: { name: 'bgp', key: 'a' } };
  const resources = resourcesOf([
    node('a', '192.168.80.100/24'),
    bgpPeer('signed', { peerIP: '10.0.0.7', asNumber: 65_000, password }),
    bgpPeer('any', { peerPrefix: '10.0.0.0/24', asNumber: 65_000 }),
  ]);
  const speaker = new Speaker({ isRestarted: false });
  const configure = (surroundings = NO_SURROUNDINGS) => {
    const { derived } = deriveSpeaker('a', '', resources, surroundings);
    assert.ok(derived);
    speaker.configure(derived.speaker, 0);
  };
  const come = (text: string) => speaker.admit(parseAddress(text), 0)?.config;
  configure();
  assert.equal(come('10.0.0.7'), undefined);
  assert.equal(come('10.0.0.8')?.key, '10.0.0.8');
  configure({ ...NO_SURROUNDINGS, secrets: () => 1 });
  assert.equal(come('10.0.0.7')?.socket.password?.key, 'a');
});

test('guests that come and go without end leave nothing behind', () => {
  const speaker = new Speaker({ isRestarted: false });
  const resources = resourcesOf([
    node('a', '192.168.80.100/24'),
    bgpPeer('any', { peerPrefix: '10.0.0.0/8', maxPeers: 4, asNumber: 65_000 }),
  ]);
  const { derived } = deriveSpeaker('a', '', resources);
  assert.ok(derived);
  speaker.configure(derived.speaker, 0);
  for (let count = 0; count < 1_000; count++) {
    const peer = speaker.admit(parseAddress(`10.0.${count >> 8}.${count & 255}`), 0);
    assert.ok(peer);
    const source = peer.received.source;
    for (const last of [1, 2]) {
      const prefix = parsePrefix(`10.${last}.0.0/16`);
      const data = { attributes: { origin: 0, asPath: [] }, nextHop: prefix } as const;
      assert.ok(speaker.rib.put({ prefix, data, source }));
    }
    speaker.handle({ kind: 'peer-timer', peer: peer.config.key, timer: 'guest' }, 0);
    speaker.flush(3);
  }
  assert.ok(speaker.rib.paths.sourceLimit < 10, `${speaker.rib.paths.sourceLimit}`);
  while (speaker.rib.isUnsettled) speaker.flush();
  assert.equal(speaker.rib.paths.size, 0);
});
