import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bgpConfiguration, bgpPeer, node } from '../../testing/resources.ts';
import { deriveSpeaker } from './derive_speaker.ts';
import { resourcesOf } from './resources.ts';

const NODES = ['a', 'b', 'c'].map((name, index) => node(name, `192.168.80.10${index}/24`));

function derive(time: string) {
  const resources = [
    ...NODES,
    bgpConfiguration({ nodeMeshMaxRestartTime: time }),
    bgpPeer('tor', { peerIP: '192.168.80.9', asNumber: 65000, maxRestartTime: time }),
  ];
  return deriveSpeaker('a', '', resourcesOf(resources));
}

test('a restart time that peers cannot be told is cut, and said once', () => {
  assert.deepEqual(derive('1h8m15s').problems, []);
  const { derived, problems } = derive('2h');
  const cut =
    '"2h": peers are told "4095s", the longest time that the message has room for (RFC 4724)';
  assert.deepEqual(problems, [
    `nodeMeshMaxRestartTime of BGPConfiguration is ${cut}`,
    `maxRestartTime of BGPPeer "tor" is ${cut}`,
  ]);
  const peers = [...(derived?.speaker.peers.values() ?? [])];
  assert.deepEqual(
    peers.map(({ session }) => session.restartTimeSeconds),
    [4095, 4095, 4095],
  );
});
