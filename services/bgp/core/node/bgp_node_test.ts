import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { formatAddress } from '@calico/ip';
import { FakeKernel } from '../../testing/fake_kernel.ts';
import { bgpConfiguration, bgpPeer, node as nodeResource } from '../../testing/resources.ts';
import { resourcesOf } from '../cluster/resources.ts';
import { BgpNode } from './bgp_node.ts';

const PEERS = 3;

const nothing = (): void => {};
const CONNECTION = { send: () => true, close: nothing };

test('a configuration is one turn, dialling and listening are the next', () => {
  const turns: (() => void)[] = [];
  const dialled: string[] = [];
  const listening: (number | undefined)[] = [];
  const node = new BgpNode({
    node: 'a',
    routerId: '',
    clock: new FakeClock(0),
    random: () => 0,
    transport: {
      dial: ({ address }) => {
        dialled.push(formatAddress(address));
        return CONNECTION;
      },
    },
    kernel: new FakeKernel(),
    reporter: { peers: nothing, applied: nothing, health: nothing },
    log: { info: nothing, warn: nothing },
    onListen: (listen) => listening.push(listen?.peers.length),
    defer: (callback) => turns.push(callback),
  });
  const configure = (count: number): void => {
    const resources = resourcesOf([
      bgpConfiguration({ nodeToNodeMeshEnabled: false }),
      nodeResource('a', '192.168.80.100/24'),
      ...Array.from({ length: count }, (_, index) =>
        bgpPeer(`p${index}`, { peerIP: `192.168.80.${101 + index}`, asNumber: 65_000 }),
      ),
    ]);
    node.setResources(resources, { inSync: true, revision: 1n });
  };
  const turn = (): void => {
    for (const work of turns.splice(0)) work();
  };
  configure(PEERS);
  assert.deepEqual([node.peers().length, dialled, listening], [PEERS, [], []]);
  turn();
  assert.deepEqual(
    [dialled, listening],
    [['192.168.80.101', '192.168.80.102', '192.168.80.103'], [PEERS]],
  );
  configure(1);
  configure(2);
  turn();
  assert.deepEqual(listening, [PEERS, 2], 'what was configured in the end');
  configure(PEERS);
  node.stop();
  turn();
  assert.deepEqual(listening, [PEERS, 2], 'a node that has stopped listens to nobody');
});
