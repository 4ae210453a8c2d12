import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BfdState } from '@calico/bfd-wire';
import { parseAddress } from '@calico/ip';
import { bgpPeer, node } from '../../testing/resources.ts';
import type { BfdTarget } from '../bfd/types.ts';
import { deriveSpeaker } from '../cluster/derive_speaker.ts';
import { resourcesOf } from '../cluster/resources.ts';
import { NO_SURROUNDINGS } from '../cluster/surroundings.ts';
import { Paths } from './paths.ts';

const FAR_END = parseAddress('fe80::1');
const OWN = parseAddress('fe80::a');

/** Unnumbered peers with the same address, on eth1 and eth2. */
function peers() {
  const spec = { remoteAS: 'External', bfd: { enabled: true } };
  const resources = [
    node('a', '192.168.80.100/24'),
    ...['eth1', 'eth2'].map((peerInterface) => bgpPeer(peerInterface, { peerInterface, ...spec })),
  ];
  const { derived } = deriveSpeaker('a', '', resourcesOf(resources), {
    ...NO_SURROUNDINGS,
    linkLocalAddress: () => OWN,
    neighbourOn: () => FAR_END,
  });
  return [...(derived?.speaker.peers.values() ?? [])];
}

test('paths over links: one per link, and anew when its interface is another one', () => {
  const asked: (readonly BfdTarget[])[] = [];
  const indexes = new Map([['eth1', 3]]);
  const port = { configure: (targets: readonly BfdTarget[]) => void asked.push(targets) };
  const paths = new Paths(port, (name) => indexes.get(name));
  const links = (): (string | undefined)[] =>
    asked.at(-1)?.map(({ link }) => `${link?.interface} ${link?.interfaceIndex}`) ?? [];
  paths.configure(peers());
  assert.deepEqual(links(), ['eth1 3']);
  assert.deepEqual(asked.at(-1)?.[0]?.sourceAddress, OWN);
  indexes.set('eth2', 4);
  paths.configure(peers());
  assert.deepEqual(links(), ['eth1 3', 'eth2 4']);
  paths.configure(peers());
  assert.equal(asked.length, 2);
  indexes.set('eth1', 9);
  paths.configure(peers());
  assert.deepEqual(links(), ['eth1 9', 'eth2 4']);
  const up = { state: BfdState.Up, cause: undefined, since: 0, transmitMs: 300, detectionMs: 900 };
  const status = { ...up, address: FAR_END, isRemoteIndependent: false, problem: 'broken' };
  paths.take({ ...status, interface: 'eth2' });
  assert.deepEqual(
    peers().map((peer) => paths.statusOf(peer)?.interface),
    [undefined, 'eth2'],
  );
  assert.deepEqual(paths.problems, ['Cannot watch the path to "fe80::1%eth2": broken']);
});
