import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordLine, replay } from '@calico/mailbox';
import { settingsText } from '../core/speaker/config.ts';
import type { SpeakerInput } from '../core/speaker/events.ts';
import { replaySpeaker } from '../core/speaker/replay.ts';
import type { Speaker } from '../core/speaker/speaker.ts';
import {
  affinity,
  bgpConfiguration,
  bgpFilter,
  bgpPeer,
  endpointSlice,
  node,
  pool,
  service,
} from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const RESOURCES = [
  bgpConfiguration({ asNumber: 64_512, serviceLoadBalancerIPs: [{ cidr: '192.0.2.0/24' }] }),
  pool('10.244.0.0/16'),
  ...['a', 'b', 'c'].flatMap((name, index) => [
    node(name, `192.168.80.10${index}/24`),
    affinity(name, `10.244.${index}.0/26`),
  ]),
  bgpFilter('f', { importV4: [{ action: 'Reject', interface: 'wan*' }] }),
  service('web', { externalTrafficPolicy: 'Local' }, ['192.0.2.7', '192.0.2.8']),
  endpointSlice('web-1', 'web', ['a', 'b']),
  bgpPeer('a-b', { node: 'a', peerIP: '192.168.80.101', asNumber: 64_512, filters: ['f'] }),
];

function tables({ rib, peers }: Speaker): string {
  const told = Array.from(peers.values(), ({ advertised, received, session }) => [
    [...advertised.entries()],
    [...received],
    session,
  ]);
  return settingsText([[...rib.entries()], told]);
}

test('a recorded node does the same again: restarts, losses, filters that ask the kernel', () => {
  const cluster = new SimulatedCluster(3);
  let text = '';
  cluster.recordOf = (name) =>
    name === 'a' ? (input) => (text += recordLine(cluster.clock.monotonic(), input)) : undefined;
  cluster.resources = RESOURCES;
  for (const name of ['a', 'b', 'c']) cluster.start(name);
  cluster.advance(5_000);
  const { kernel, bgp, speaker } = cluster.node('a');
  kernel.interfaces.set('wan0', 7);
  kernel.ways.set('192.168.80.101', { gateway: undefined, interfaceIndex: 7 });
  bgp.kernelChanged({ kind: 'ways' });
  cluster.kill('c');
  cluster.advance(3_000);
  cluster.start('c');
  cluster.advance(10_000);
  const web = service('web', { externalTrafficPolicy: 'Local' }, ['192.0.2.7']);
  cluster.apply([...RESOURCES.filter(({ kind }) => kind !== 'BGPPeer'), web]);
  cluster.advance(1_000);
  const inputs = Array.from(replay<SpeakerInput>(text), ({ item }) => item);
  assert.ok(inputs.some((input) => input.kind === 'interface'));
  const events = inputs.flatMap((input) => (input.kind === 'event' ? [input.event.kind] : []));
  assert.equal(events.filter((kind) => kind === 'services').length, 2);
  const again = replaySpeaker({ isRestarted: false }, inputs);
  assert.equal(tables(again.speaker), tables(speaker));
  const third = replaySpeaker({ isRestarted: false }, inputs);
  assert.deepEqual(third.effects, again.effects);
});
