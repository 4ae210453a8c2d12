import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMrt } from '@calico/bgp-wire';
import { formatAddress, formatPrefix } from '@calico/ip';
import { type ListRoutesResponse, PathVerdict, Table } from '@calico/proto/bgp/v1/bgp';
import type { CallContext, RpcError } from '@calico/rpc';
import { servicesIn } from '../core/cluster/resources.ts';
import { affinity, bgpConfiguration, node, pool, service } from '../testing/resources.ts';
import { SimulatedCluster } from '../testing/simulated_cluster.ts';
import { createHandlers } from './grpc_handlers.ts';

const cluster = new SimulatedCluster(1);
cluster.resources = [
  bgpConfiguration({ asNumber: 64512 }),
  pool('10.244.0.0/16'),
  node('a', '192.168.80.100/24'),
  node('b', '192.168.80.101/24'),
  affinity('a', '10.244.1.0/26'),
  affinity('b', '10.244.2.0/26'),
];
cluster.start('a');
cluster.start('b');
cluster.advance(5_000);

const handlers = createHandlers(cluster.node('a').bgp, 'a', '1.2.3');
const context: CallContext = { peer: 'test', signal: new AbortController().signal };

async function routes(table: Table, peer = '', prefix = ''): Promise<string[]> {
  const paging = { lookup: '', limit: 0, pageToken: '' };
  const $typeName = 'calico.bgp.v1.ListRoutesRequest';
  const request = { $typeName, table, peer, prefix, ...paging } as const;
  const lines: string[] = [];
  for await (const row of handlers.listRoutes(request, context)) {
    const { prefix: text, nextHop, learnedFrom, best } = row as ListRoutesResponse;
    lines.push(`${text} ${nextHop || '-'} ${learnedFrom || 'local'} ${best ? 'best' : ''}`.trim());
  }
  return lines.toSorted();
}

test('listRoutes() shows each table', async () => {
  const locRib = ['10.244.1.0/26 - local best', '10.244.2.0/26 192.168.80.101 192.168.80.101 best'];
  assert.deepEqual(await routes(Table.UNSPECIFIED), locRib);
  assert.deepEqual(await routes(Table.LOC_RIB), locRib);
  assert.deepEqual(await routes(Table.ADJ_RIB_IN, '192.168.80.101'), [
    '10.244.2.0/26 192.168.80.101 192.168.80.101 best',
  ]);
  assert.deepEqual(await routes(Table.ADJ_RIB_OUT, '192.168.80.101'), [
    '10.244.1.0/26 192.168.80.100 local best',
  ]);
  assert.equal((await routes(Table.LOC_RIB, '', '10.244.2.0/24')).length, 1);
});

test('dumpTable() is an MRT file of all paths with their peers', async () => {
  const pieces: Uint8Array[] = [];
  const request = { $typeName: 'calico.bgp.v1.DumpTableRequest' } as const;
  for await (const { mrt } of handlers.dumpTable(request, context)) {
    pieces.push(mrt ?? new Uint8Array(0));
  }
  const [index, ...records] = [...decodeMrt(Buffer.concat(pieces))];
  assert.equal(index?.kind, 'peers');
  assert.deepEqual(
    index.peers.map(({ address, asn }) => `${formatAddress(address)} ${asn}`),
    ['0.0.0.0 64512', '192.168.80.101 64512'],
  );
  const lines = records.flatMap((record) =>
    record.kind === 'routes'
      ? record.entries.map(({ peer }) => `${formatPrefix(record.prefix)} of ${peer}`)
      : [],
  );
  assert.deepEqual(lines.toSorted(), ['10.244.1.0/26 of 0', '10.244.2.0/26 of 1']);
});

test('listRoutes() says what it cannot do', async () => {
  for (const [attempt, code, message] of [
    [routes(Table.ADJ_RIB_IN), 'INVALID_ARGUMENT', /Cannot list routes of peer "": peers are/],
    [routes(Table.ADJ_RIB_IN, '1.2.3.4'), 'NOT_FOUND', /peers are "192.168.80.101"/],
    [routes(Table.LOC_RIB, '', 'nonsense'), 'INVALID_ARGUMENT', /Cannot parse/],
    [routes(77 as Table), 'INVALID_ARGUMENT', /expected loc-rib/],
  ] as const) {
    await assert.rejects(attempt, (error: RpcError) => {
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    });
  }
});

test('listPeers() and getSpeaker() say what is', async () => {
  const { peers = [] } = await handlers.listPeers(
    { $typeName: 'calico.bgp.v1.ListPeersRequest' },
    context,
  );
  assert.deepEqual(
    peers.map(({ key, state, remoteNode, prefixesReceived }) => [
      key,
      state,
      remoteNode,
      prefixesReceived,
    ]),
    [['192.168.80.101', 'Established', 'b', 1]],
  );
  const [{ messagesSent, messagesReceived, malformedUpdates } = {}] = peers;
  // The own route, and End-of-RIB.
  const { keepalive, ...others } = messagesReceived ?? {};
  assert.deepEqual(others, { open: 1n, update: 2n, notification: 0n, routeRefresh: 0n });
  assert.ok((keepalive ?? 0n) > 0n);
  assert.equal(messagesSent?.open, 1n);
  const none = { treatAsWithdraw: 0n, attributeDiscard: 0n, sessionReset: 0n };
  assert.deepEqual(malformedUpdates, none);
  const speaker = await handlers.getSpeaker(
    { $typeName: 'calico.bgp.v1.GetSpeakerRequest' },
    context,
  );
  assert.deepEqual(speaker, {
    node: 'a',
    asn: 64512,
    routerId: '192.168.80.100',
    version: '1.2.3',
    appliedRevision: 1n,
    inSync: true,
    ready: true,
    problems: [],
  });
});

test('getSpeaker() of a route reflector says of which cluster, and why', async () => {
  const reflectors = new SimulatedCluster(1);
  reflectors.resources = [
    bgpConfiguration({}),
    node('r', '192.168.80.10/24', { routeReflectorClusterID: '244.0.0.1' }),
  ];
  reflectors.start('r');
  reflectors.advance(1_000);
  const { clusterId, reflector } = await createHandlers(
    reflectors.node('r').bgp,
    'r',
    '',
  ).getSpeaker({ $typeName: 'calico.bgp.v1.GetSpeakerRequest' }, context);
  assert.deepEqual([clusterId, reflector], ['244.0.0.1', 'configured']);
});

async function explained(prefix: string, peer = '') {
  const request = { $typeName: 'calico.bgp.v1.ExplainRequest', prefix, peer } as const;
  return await handlers.explain(request, context);
}

test('explain() by prefix and by address', async () => {
  for (const text of ['10.244.2.0/26', '10.244.2.9']) {
    const { prefix, paths = [], exports = [], kernel } = await explained(text);
    assert.equal(prefix, '10.244.2.0/26');
    assert.deepEqual(
      paths.map(({ verdict, reason }) => [verdict, reason]),
      [[PathVerdict.BEST, 'the only path']],
    );
    assert.deepEqual(
      exports.map(({ peer, exported, reason }) => [peer, exported, reason]),
      [['192.168.80.101', false, 'learned from this peer']],
    );
    assert.equal(kernel, '"10.244.2.0/26 via 192.168.80.101" is in the kernel');
  }
  const { exports = [], kernel } = await explained('10.244.1.0/26');
  assert.deepEqual(
    exports.map(({ exported, reason, route }) => [exported, reason, route?.nextHop]),
    [[true, 'originated here', '192.168.80.100']],
  );
  assert.equal(kernel, '"blackhole 10.244.1.0/26" is in the kernel');
  assert.deepEqual(await explained('10.99.0.0/16'), { services: [] });
  await assert.rejects(explained('nonsense'), /Cannot parse/);
});

test('explain() of an address says which services have it, and whether it is announced', async () => {
  const web = service('web', { externalTrafficPolicy: 'Local' }, ['192.0.2.7']);
  const { bgp } = cluster.node('a');
  bgp.services.take({ isAll: false, changes: servicesIn([web]) });
  cluster.advance(10);
  const { prefix = '', services } = await explained('192.0.2.7');
  assert.equal(prefix, '');
  assert.deepEqual(services, [
    '192.0.2.7/32, load balancer address of service "default/web", is not announced: it is in none of the ranges for such addresses',
  ]);
  assert.deepEqual((await explained('192.0.2.0/24')).services, []);
});
