import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { systemClock } from '@calico/clock';
import { parsePrefix } from '@calico/ip';
import {
  CheckProblemKind,
  CheckRequestSchema,
  type CheckResponseSchema,
  PlanMigrationRequestSchema,
  PlanPlacementRequestSchema,
  RemoveNodeRequestSchema,
  RepairRequestSchema,
  SplitPoolRequestSchema,
  WatchUtilizationRequestSchema,
  type WatchUtilizationResponseSchema,
} from '@calico/proto/ipam/v1/admin';
import { RpcError } from '@calico/rpc';
import { MemoryStore } from '@calico/store';
import { assignFree } from '../core/block_algebra.ts';
import type { WorkloadOwner } from '../core/programs/owner.ts';
import { formatBlock, newBlock } from '../core/records/block.ts';
import { AddressBook } from './address_book.ts';
import { createAdminHandlers } from './admin_handlers.ts';
import { Inspector } from './inspector.ts';
import { NodeRemover } from './node_remover.ts';
import { ProgramRunner } from './program_runner.ts';
import { RecordMapStore } from './record_map_store.ts';
import { UtilizationFeed } from './utilization_feed.ts';

const RESOURCES = '/calico/resources/v3/projectcalico.org';
const CONTEXT = { peer: 'test', signal: new AbortController().signal };

function service() {
  const store = new RecordMapStore();
  store.records.put(`${RESOURCES}/ippools/p`, JSON.stringify({ spec: { cidr: '10.0.0.0/24' } }));
  const runner = new ProgramRunner({ store, clock: systemClock, random: Math.random });
  const book = new AddressBook(runner);
  const remover = new NodeRemover(store, runner, book);
  const inspector = new Inspector({ store, clock: systemClock, runner, remover });
  const state = { intervalSeconds: 60, applies: true, plannedAt: 5, proposed: 2, released: 1 };
  const planner = { state };
  const watched = new MemoryStore();
  const feed = new UtilizationFeed({ store: watched, clock: systemClock });
  const admin = createAdminHandlers({
    inspector,
    runner,
    newUid: () => 'u',
    feed,
    remover,
    planner,
  });
  const assign = (handleId: string, node: string, workload?: WorkloadOwner) =>
    book.autoAssign({
      node,
      workload,
      owner: { handleId, secondary: { node } },
      namespace: '',
      use: 'Workload',
      wanted: { 4: { count: 1, pools: [] }, 6: { count: 0, pools: [] } },
      maxBlocks: 0,
    });
  return { store, admin, assign, watched, feed };
}

async function checked(admin: ReturnType<typeof service>['admin']) {
  const parts: MessageInitShape<typeof CheckResponseSchema>[] = [];
  for await (const part of admin.check(create(CheckRequestSchema), CONTEXT)) parts.push(part);
  return {
    summary: parts[0]?.summary,
    allocations: parts.flatMap(({ allocations = [] }) => allocations),
    problems: parts.flatMap(({ problems = [] }) => problems),
  };
}

test('what a check reports is repaired, and a second check is clean', async () => {
  const { store, admin, assign } = service();
  store.records.put(`${RESOURCES}/nodes/n1`, '{}');
  store.records.put('/calico/ipam/v2/handle/lost', '{"block":{"10.0.0.0/26":1}}');
  await assign('net.a', 'n1');
  await assign('net.b', 'gone');
  const before = await checked(admin);
  const { LEAKED_ADDRESS, LEAKED_HANDLE, NODE_GONE } = CheckProblemKind;
  assert.deepEqual(
    before.problems.map(({ kind }) => kind),
    [LEAKED_ADDRESS, LEAKED_ADDRESS, LEAKED_HANDLE, NODE_GONE],
  );
  const { address = '', handleId = '', sequenceNumber = 0n } = before.allocations[0] ?? {};
  const done = await admin.repair(
    create(RepairRequestSchema, {
      addresses: [
        { address, handleId, sequenceNumber },
        { address, handleId, sequenceNumber },
        ...before.allocations.slice(1).map((one) => ({
          address: one.address ?? '',
          handleId: one.handleId ?? '',
          sequenceNumber: one.sequenceNumber ?? 0n,
        })),
      ],
      records: before.problems.slice(2).map(({ kind, subject, revision }) => ({
        kind: kind ?? 0,
        subject: subject ?? '',
        revision: revision ?? 0n,
      })),
    }),
    CONTEXT,
  );
  assert.equal(done.releasedAddresses?.length, 2);
  assert.deepEqual(done.repairedRecords, ['lost', 'gone']);
  assert.deepEqual(done.skipped, [{ subject: address, reason: 'it is not assigned' }]);
  assert.deepEqual((await checked(admin)).problems, []);
});

test('a node that cannot go yet is skipped, and what follows is repaired', async () => {
  const { store, admin, assign } = service();
  await assign('net.a', 'gone');
  store.records.put('/calico/ipam/v2/handle/lost', '{"block":{"10.0.0.0/26":1}}');
  const endpoint = `${RESOURCES}/workloadendpoints/default/gone-k8s-a-eth0`;
  store.records.put(endpoint, JSON.stringify({ spec: { node: 'gone', containerID: 'a' } }));
  const { NODE_GONE, LEAKED_HANDLE } = CheckProblemKind;
  const lost = (await checked(admin)).problems.find(({ kind }) => kind === LEAKED_HANDLE);
  const records = [
    { kind: NODE_GONE, subject: 'gone' },
    { kind: LEAKED_HANDLE, subject: 'lost', revision: lost?.revision ?? 0n },
  ];
  const done = await admin.repair(create(RepairRequestSchema, { records }), CONTEXT);
  assert.deepEqual(done.repairedRecords, ['lost']);
  const [skipped] = done.skipped ?? [];
  assert.equal(skipped?.subject, 'gone');
  assert.match(skipped?.reason ?? '', /Node "gone": 1 workload endpoint/);
});

test('a node is removed with all that is assigned to it, but not under a workload', async () => {
  const { store, admin, assign } = service();
  store.records.put(`${RESOURCES}/nodes/n1`, '{}');
  store.records.put(`${RESOURCES}/nodes/n2`, '{}');
  await assign('vxlan-tunnel-addr-n1', 'n1');
  const workload = { namespace: 'default', name: 'n1-k8s-a-eth0', containerId: 'c1' };
  await assign('net.c1', 'n1', workload);
  await assign('net.c2', 'n2');
  const remove = () => admin.removeNode(create(RemoveNodeRequestSchema, { node: 'n1' }), CONTEXT);
  const endpoint = `${RESOURCES}/workloadendpoints/default/n1-k8s-a-eth0`;
  store.records.put(endpoint, JSON.stringify({ spec: { node: 'n1', containerID: 'c1' } }));
  await assert.rejects(remove, /Cannot delete Node "n1": 1 workload .* default\/n1-k8s-a-eth0/);
  store.records.delete(endpoint);
  const { releasedAddresses, releasedBlocks, revision } = await remove();
  assert.deepEqual([releasedAddresses?.length, releasedBlocks?.length], [2, 1]);
  assert.equal(revision, store.records.revision);
  const left = [...store.records.values.keys()].filter((key) => /n1|net\.c1/.test(key));
  assert.deepEqual(left, [
    '/calico-ts/ipam/given-up/net.c1',
    '/calico-ts/ipam/given-up/vxlan-tunnel-addr-n1',
  ]);
  assert.equal((await remove()).revision, 0n);
});

test('a pool is split and a migration planned', async () => {
  const { admin } = service();
  const split = await admin.splitPool(
    create(SplitPoolRequestSchema, { pool: 'p', parts: 2 }),
    CONTEXT,
  );
  assert.deepEqual(
    split.parts?.map(({ cidr }) => cidr),
    ['10.0.0.0/25', '10.0.0.128/25'],
  );
  const request = { from: 'split-p-0', to: '10.0.0.128/25' };
  const plan = await admin.planMigration(create(PlanMigrationRequestSchema, request), CONTEXT);
  assert.deepEqual([plan.free, plan.obstacles], ['128', []]);
});

test('a plan of placement sees nodes and their labels', async () => {
  const { store, admin } = service();
  const labels = { 'topology.kubernetes.io/zone': 'a' };
  store.records.put(`${RESOURCES}/nodes/n1`, JSON.stringify({ metadata: { labels } }));
  const put = (cidr: string, node: string, isEmpty: boolean): void => {
    const block = newBlock(parsePrefix(cidr), `host:${node}`, 1_700_000_000_000);
    const owner = { handleId: 'h', secondary: {} };
    const stored = isEmpty ? block : assignFree(block, 1, owner).block;
    const key = `/calico/ipam/v2/assignment/ipv4/block/${cidr.replace('/', '-')}`;
    store.records.put(key, formatBlock(stored));
  };
  put('10.0.0.0/26', 'n1', false);
  put('10.0.0.64/26', 'n2', true);
  put('10.0.0.192/26', 'n2', false);
  const { moves, routesBefore, routesAfter } = await admin.planPlacement(
    create(PlanPlacementRequestSchema),
    CONTEXT,
  );
  assert.deepEqual([routesBefore, routesAfter], [3n, 2n]);
  assert.deepEqual(
    moves?.map(({ block, node }) => `${block} ${node}`),
    ['10.0.0.64/26 n2'],
  );
  assert.match(moves?.[0]?.reason ?? '', /stands elsewhere \(topology\.kubernetes\.io\/zone=a\)/);
});

test('utilisation is watched: all pools first, then what changes, together', async () => {
  const { admin, watched, feed } = service();
  const over = new AbortController();
  const put = (name: string, spec: object | undefined) =>
    watched.commit({
      compare: [],
      operations: [
        spec === undefined
          ? { kind: 'delete', key: `${RESOURCES}/ippools/${name}` }
          : { kind: 'put', key: `${RESOURCES}/ippools/${name}`, value: JSON.stringify({ spec }) },
      ],
    });
  await put('a', { cidr: '10.0.0.0/24' });
  const running = feed.run(over.signal);
  const request = create(WatchUtilizationRequestSchema, { intervalMs: 100 });
  const stream = admin.watchUtilization(request, { peer: 'test', signal: over.signal });
  const messages = stream[Symbol.asyncIterator]();
  const next = async () => {
    const { value } = (await messages.next()) as IteratorYieldResult<
      MessageInitShape<typeof WatchUtilizationResponseSchema>
    >;
    return [value.pools?.map(({ name, free }) => `${name} ${free}`), value.removed];
  };
  assert.deepEqual(await next(), [['a 256'], []]);
  await put('b', { cidr: '10.1.0.0/30', blockSize: 30 });
  const block = newBlock(parsePrefix('10.1.0.0/30'), 'host:n1', 1_790_000_000_000);
  for (const count of [1, 2, 3]) {
    const { block: used } = assignFree(block, count, { handleId: 'h', secondary: {} });
    const key = '/calico/ipam/v2/assignment/ipv4/block/10.1.0.0-30';
    const value = formatBlock(used);
    await watched.commit({ compare: [], operations: [{ kind: 'put', key, value }] });
  }
  assert.deepEqual(await next(), [['b 1'], []]);
  await put('a', undefined);
  assert.deepEqual(await next(), [[], ['a']]);
  over.abort();
  assert.equal((await messages.next()).done, true);
  await running;
});

test('a wrong field is named with its value and what would be accepted', async () => {
  const { store, admin } = service();
  const { revision } = store.records;
  const repair = (init: MessageInitShape<typeof RepairRequestSchema>) => () =>
    admin.repair(create(RepairRequestSchema, init), CONTEXT);
  const split = (pool: string, parts: number) => () =>
    admin.splitPool(create(SplitPoolRequestSchema, { pool, parts }), CONTEXT);
  const plan = (from: string, to: string) => () =>
    admin.planMigration(create(PlanMigrationRequestSchema, { from, to }), CONTEXT);
  const watch = (intervalMs: number) => () =>
    Array.fromAsync(
      admin.watchUtilization(create(WatchUtilizationRequestSchema, { intervalMs }), CONTEXT),
    );
  const { WRONG_AFFINITY, MISSING_AFFINITY, NODE_GONE } = CheckProblemKind;
  const cases: [() => Promise<unknown>, RegExp][] = [
    [repair({ addresses: [{ address: 'x' }] }), /addresses\[0\]\.address "x": expected an IPv4/],
    [
      repair({ addresses: [{ address: '10.0.0.1', handleId: 'a/b' }] }),
      /addresses\[0\]\.handle_id/,
    ],
    [repair({ records: [{ kind: 99 as 1, subject: 'h' }] }), /records\[0\]\.kind "99": expected/],
    [repair({ records: [{ kind: WRONG_AFFINITY, subject: '/x' }] }), /expected the etcd key/],
    [repair({ records: [{ kind: MISSING_AFFINITY, subject: 'x' }] }), /expected a CIDR/],
    [repair({ records: [{ kind: NODE_GONE, subject: '' }] }), /records\[0\]\.subject ""/],
    [
      repair({ addresses: Array.from({ length: 1001 }, () => ({ address: '10.0.0.1' })) }),
      /addresses "1001 entries": expected at most 1000/,
    ],
    [split('', 2), /pool "": expected a name/],
    [split('p', 0), /into 0 parts: expected a power of two/],
    [split('p', 4_000_000_000), /expected a power of two/],
    [plan('10.0.0.1/24', 'p'), /from "10\.0\.0\.1\/24": expected a CIDR without host bits/],
    [watch(50), /interval_ms "50": expected 100 to 60000/],
    [plan('p', 'A'), /to "A": expected a name/],
  ];
  for (const [call, message] of cases) {
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof RpcError, String(error));
      assert.equal(error.code, 'INVALID_ARGUMENT');
      assert.match(error.message, message);
      return true;
    });
  }
  assert.equal(store.records.revision, revision, 'nothing was written');
});
