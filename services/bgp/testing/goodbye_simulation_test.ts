// What a peer hears of a session that ends (RFC 4486), or that does not begin.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Afi, type Capability, describeNotification, Safi, type Update } from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { ScriptedPeer, withOptions } from './scripted_peer.ts';

function goodbyes({ heard }: ScriptedPeer): string[] {
  return heard.flatMap((message) =>
    message.kind === 'notification' ? [describeNotification(message)] : [],
  );
}

test('a peer that is configured no longer, and one that is configured otherwise', () => {
  const removed = new ScriptedPeer([], 0, withOptions({}));
  removed.configure(withOptions({}).slice(0, -1));
  assert.deepEqual(goodbyes(removed), ['Cease: Peer de-configured']);
  const changed = new ScriptedPeer([], 0, withOptions({}));
  changed.configure(withOptions({ addPath: 'Both' }));
  assert.deepEqual(goodbyes(changed), ['Cease: Other configuration change']);
});

const BOTH: Capability[] = [Afi.Ipv4, Afi.Ipv6].map((afi) => ({
  kind: 'multiprotocol',
  afi,
  safi: Safi.Unicast,
}));

for (const [families, said] of [
  [['IPv4'], [0, 1, 1, 0, 0, 0, 1]],
  [['IPv4', 'IPv6'], []],
] as const) {
  test(`a peer of ${families.join(' and ')} that tells too much hears which family, if it is one`, () => {
    const options = { maxPrefixes: { limit: 1 }, addressFamilies: families };
    const peer = new ScriptedPeer(BOTH, 0, withOptions(options));
    const update: Update = {
      kind: 'update',
      withdrawn: [],
      announced: ['10.244.7.0/26', '10.244.8.0/26'].map((text) => ({ prefix: parsePrefix(text) })),
      attributes: {
        origin: 0,
        asPath: [],
        localPreference: 100,
        nextHop: parseAddress('192.168.80.101'),
      },
      problems: [],
    };
    peer.say(update);
    peer.clock.advance(100);
    const last = peer.heard.at(-1);
    assert.deepEqual(goodbyes(peer), ['Cease: Maximum number of prefixes reached']);
    assert.deepEqual(last?.kind === 'notification' ? [...last.data] : undefined, [...said]);
  });
}
