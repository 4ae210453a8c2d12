import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { FakeClock } from '@calico/clock';
import { ResourceView } from '@calico/feed';
import { parseResource } from '@calico/model';
import { NodeAppliedSchema, NodeEndpointsSchema } from '@calico/proto/events/v1/events';
import {
  ListEndpointsRequestSchema,
  ListPeersRequestSchema,
  WaitAppliedRequestSchema,
  WatchNodesRequestSchema,
} from '@calico/proto/status/v1/status';
import { RpcError } from '@calico/rpc';
import { createHandlers } from './grpc_handlers.ts';
import { StatusBoard } from './status_board.ts';

const API = 'projectcalico.org/v3';

function cluster(...nodes: string[]) {
  const board = new StatusBoard(new ResourceView());
  board.acceptEvent({ kind: 'snapshot-start', source: 'nats' });
  for (const name of nodes) {
    const resource = parseResource({ apiVersion: API, kind: 'Node', metadata: { name }, spec: {} });
    board.acceptEvent({ kind: 'put', resource, revision: 5n });
  }
  board.acceptEvent({ kind: 'in-sync', revision: 5n });
  const clock = new FakeClock(1000);
  return { board, clock, handlers: createHandlers(board, clock) };
}

function report(board: StatusBoard, node: string, component: string, revision: bigint): void {
  const message = create(NodeAppliedSchema, { node, component, revision, inSync: true });
  board.acceptReport({ topic: 'applied', node, component, message, receivedAt: 1000 });
}

const context = () => ({ peer: 'test', signal: new AbortController().signal });

const isCode = (code: string) => (cause: unknown) =>
  cause instanceof RpcError && cause.code === code;

test('waitApplied() streams progress and ends when the revision is in force everywhere', async () => {
  const { board, handlers } = cluster('n1', 'n2');
  const request = create(WaitAppliedRequestSchema, { targets: [{ kind: 'Tier', revision: 5n }] });
  const seen: string[] = [];
  const waiting = (async () => {
    for await (const { nodesApplied, nodesTotal } of handlers.waitApplied(request, context())) {
      seen.push(`${nodesApplied}/${nodesTotal}`);
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 5));
  report(board, 'n1', 'felix', 5n);
  await new Promise((resolve) => setTimeout(resolve, 5));
  report(board, 'n2', 'felix', 6n);
  await waiting;
  assert.deepEqual(seen, ['0/2', '1/2', '2/2']);
});

test('waitApplied() does not end before the list of nodes is known at the revision', async () => {
  const { board, handlers } = cluster('n1');
  report(board, 'n1', 'felix', 9n);
  const request = create(WaitAppliedRequestSchema, { targets: [{ kind: 'Tier', revision: 9n }] });
  const stream = handlers.waitApplied(request, context())[Symbol.asyncIterator]();
  assert.equal((await stream.next()).value?.nodesApplied, 1);
  const end = stream.next();
  board.acceptEvent({ kind: 'in-sync', revision: 9n });
  assert.equal((await end).value?.nodesApplied, 1);
  assert.equal((await stream.next()).done, true);
});

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

test('watchNodes() tells what changed, no heartbeat, and who fell silent', async () => {
  const { board, clock, handlers } = cluster('n1', 'n2');
  const stop = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    const request = create(WatchNodesRequestSchema);
    for await (const { node } of handlers.watchNodes(request, { peer: '', signal: stop.signal })) {
      const reasons = node?.health?.flatMap(({ messages = [] }) => messages) ?? [];
      seen.push(`${node?.node} ${node?.applied?.[0]?.revision ?? '-'} ${reasons.join()}`);
    }
  })();
  await settle();
  assert.deepEqual(seen.splice(0), ['n1 - has never reported', 'n2 - has never reported']);
  report(board, 'n1', 'felix', 5n);
  await settle();
  assert.deepEqual(seen.splice(0), ['n1 5 felix has not reported,bgp has not reported']);
  report(board, 'n1', 'felix', 5n);
  report(board, 'unknown', 'felix', 5n);
  board.acceptEvent({ kind: 'in-sync', revision: 6n });
  await settle();
  assert.deepEqual(seen.splice(0), []);
  for (let turn = 0; turn < 7; turn++) {
    clock.advance(5_000);
    await settle();
  }
  assert.deepEqual(seen, ['n1 5 node has not reported since 1970-01-01T00:00:01.000Z']);
  stop.abort();
  await watching;
  assert.equal(clock.pending, 0);
});

test('waitApplied() and listPeers() refuse what does not exist', async () => {
  const { handlers } = cluster('n1');
  for (const targets of [[], [{ kind: 'Nonsense', revision: 1n }]]) {
    const request = create(WaitAppliedRequestSchema, { targets });
    const stream = handlers.waitApplied(request, context())[Symbol.asyncIterator]();
    await assert.rejects(Promise.resolve(stream.next()), isCode('INVALID_ARGUMENT'));
  }
  const request = create(ListPeersRequestSchema, { node: 'n9' });
  await assert.rejects(handlers.listPeers(request, context()), isCode('NOT_FOUND'));
});

test('listEndpoints() answers what a node said in parts as one', async () => {
  const { board, handlers } = cluster('n1', 'n2');
  for (const [part, name] of ['a', 'b'].entries()) {
    const message = create(NodeEndpointsSchema, {
      node: 'n1',
      part,
      parts: 2,
      endpoints: [{ name }],
    });
    const component = undefined;
    board.acceptReport({ topic: 'endpoints', node: 'n1', component, message, receivedAt: 1000 });
  }
  const { nodes = [] } = await handlers.listEndpoints(
    create(ListEndpointsRequestSchema),
    context(),
  );
  assert.deepEqual(
    nodes.map(({ node, endpoints = [] }) => [node, ...endpoints.map(({ name }) => name)]),
    [['n1', 'a', 'b']],
  );
});
