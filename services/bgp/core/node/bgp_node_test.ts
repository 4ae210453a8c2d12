import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { formatAddress } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import { FakeKernel } from '../../testing/fake_kernel.ts';
import {
  affinity,
  bgpConfiguration,
  bgpPeer,
  endpointSlice,
  node as nodeResource,
  pool,
  service,
} from '../../testing/resources.ts';
import { resourcesOf, servicesIn } from '../cluster/resources.ts';
import { Turns } from '../host/turns.ts';
import { BgpNode } from './bgp_node.ts';

const PEERS = 3;

const nothing = (): void => {};
const CONNECTION = { send: () => true, close: nothing };

/** A node whose deferred work waits for turn(). */
function fixture() {
  const clock = new FakeClock(0);
  const kernel = new FakeKernel();
  const turns: (() => void)[] = [];
  const dialled: string[] = [];
  const listening: (number | undefined)[] = [];
  const applied: bigint[] = [];
  const inputs: string[] = [];
  const node = new BgpNode({
    node: 'a',
    routerId: '',
    clock,
    random: () => 0,
    transport: {
      dial: ({ address }) => {
        dialled.push(formatAddress(address));
        return CONNECTION;
      },
    },
    kernel,
    reporter: { peers: nothing, applied: (revision) => applied.push(revision), health: nothing },
    log: { info: nothing, warn: nothing },
    onListen: (listen) => listening.push(listen?.peers.length),
    turns: new Turns(clock, (callback) => turns.push(callback)),
    record: (input) => inputs.push(input.kind === 'event' ? input.event.kind : input.kind),
  });
  const turn = (): void => {
    for (const work of turns.splice(0)) work();
  };
  return { clock, kernel, node, turns, turn, dialled, listening, applied, inputs };
}

function local(name: string, address: string): AnyResource[] {
  return [
    service(name, { externalTrafficPolicy: 'Local', externalIPs: [address] }),
    endpointSlice(`${name}-1`, name, ['a']),
  ];
}

test('a configuration is one turn, dialling and listening are the next', () => {
  const { node, turn, dialled, listening } = fixture();
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

test('a revision is in force, and own routes are all, once the services of that moment are told', () => {
  const { node, turns, turn, applied, inputs } = fixture();
  const give = (revision: bigint, services: readonly AnyResource[]): void => {
    const resources = [
      bgpConfiguration({ serviceExternalIPs: [{ cidr: '203.0.113.0/24' }] }),
      nodeResource('a', '192.168.80.100/24'),
    ];
    node.services.take({ isAll: false, changes: servicesIn(services) });
    node.setResources(resourcesOf(resources), { inSync: true, revision });
  };
  const told = (): string[] =>
    inputs.splice(0).filter((kind) => kind === 'services' || kind === 'exports-complete');
  give(1n, local('one', '203.0.113.1'));
  assert.deepEqual([told(), applied], [[], []]);
  turn();
  assert.deepEqual([told(), applied], [['services', 'exports-complete'], [1n]]);
  while (turns.length > 0) turn();
  give(2n, local('two', '203.0.113.2'));
  assert.deepEqual([told(), applied], [[], [1n]]);
  turn();
  assert.deepEqual([told(), applied], [['services'], [1n, 2n]]);
});

test('a route that cannot be written is tried again without reading the whole kernel for it', () => {
  const { clock, kernel, node, turns, turn } = fixture();
  let [readings, attempts] = [0, 0];
  const read = kernel.read.bind(kernel);
  kernel.read = (...parts) => {
    readings += 1;
    read(...parts);
  };
  kernel.apply = (changes, done) => {
    attempts += changes.count;
    done([{ index: 0, code: 'ENOMEM', message: '' }]);
  };
  const resources = resourcesOf([
    nodeResource('a', '192.168.80.100/24'),
    pool('10.244.0.0/16'),
    affinity('a', '10.244.58.192/26'),
  ]);
  node.setResources(resources, { inSync: true, revision: 1n });
  const pass = (seconds: number): void => {
    for (let left = seconds; left > 0; left--) {
      while (turns.length > 0) turn();
      clock.advance(1_000);
    }
  };
  pass(2);
  attempts = 0;
  pass(26);
  assert.deepEqual([readings, attempts], [0, 3]);
  assert.match(node.messages.join(), /Cannot add route "blackhole 10.244.58.192.26": ENOMEM/);
  pass(90);
  assert.ok(readings <= 4, 'as often as without');
});
