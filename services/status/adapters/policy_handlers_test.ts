import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Bus, BusUnavailable, NodeRefused } from '@calico/bus';
import { systemClock } from '@calico/clock';
import { type AnyResource, type Kind, parseResource } from '@calico/model';
import { ExplainRequestSchema, ExplainResponseSchema } from '@calico/proto/felix/v1/policy';
import { ListPolicyStatsRequestSchema, WhyRequestSchema } from '@calico/proto/status/v1/policy';
import { RpcError } from '@calico/rpc';
import { createPolicyHandlers } from './policy_handlers.ts';

const API = 'projectcalico.org/v3';
const context = { peer: 'test', signal: new AbortController().signal };

function pod(name: string, node: string, address: string): AnyResource {
  return parseResource({
    apiVersion: API,
    kind: 'WorkloadEndpoint',
    metadata: { name: `${node}-k8s-${name}-eth0`, namespace: 'default' },
    spec: {
      orchestrator: 'k8s',
      node,
      pod: name,
      endpoint: 'eth0',
      ipNetworks: [address],
      interfaceName: `cali${name}`,
    },
  });
}

const PODS = [pod('a', 'n1', '10.0.0.1/32'), pod('b', 'n2', '10.0.0.2/32')];

/** Nodes that allow, but n2, which does as it is told. */
function handlers(second: () => Promise<boolean>) {
  const asked: string[] = [];
  const bus: Pick<Bus, 'ask'> = {
    ask: async (node, question, bytes) => {
      const { flow } = fromBinary(ExplainRequestSchema, bytes);
      asked.push(
        `${node} ${question} ${flow?.source}>${flow?.destination}:${flow?.destinationPort}`,
      );
      const allowed = node === 'n1' || (await second());
      return toBinary(ExplainResponseSchema, create(ExplainResponseSchema, { node, allowed }));
    },
  };
  const cluster = {
    list: (kind: Kind) => (kind === 'WorkloadEndpoint' ? PODS : []) as never,
  };
  return {
    asked,
    ...createPolicyHandlers({ bus, clock: systemClock, cluster, nodes: () => ['n1', 'n2'] }),
  };
}

const request = create(WhyRequestSchema, {
  from: 'a',
  to: 'default/b',
  protocol: 6,
  destinationPort: 80,
});

test('why() asks the nodes of both ends; both must allow', async () => {
  const allowed = handlers(async () => true);
  const answer = await allowed.why(request, context);
  assert.equal(answer.allowed, true);
  assert.deepEqual(allowed.asked, [
    'n1 Explain 10.0.0.1>10.0.0.2:80',
    'n2 Explain 10.0.0.1>10.0.0.2:80',
  ]);
  assert.equal((await handlers(async () => false).why(request, context)).allowed, false);
});

test('why() says which node did not answer', async () => {
  for (const [cause, reason] of [
    [new BusUnavailable('nobody answers'), 'felix does not answer: nobody answers'],
    [new NodeRefused('UNAVAILABLE', 'not in sync'), 'not in sync'],
  ] as const) {
    const { problems, nodes } = await handlers(() => Promise.reject(cause)).why(request, context);
    assert.deepEqual(problems, [{ node: 'n2', reason }]);
    assert.equal(nodes?.length, 1);
  }
});

const isCode = (code: string) => (cause: unknown) =>
  cause instanceof RpcError && cause.code === code;

test('what cannot be asked is refused', async () => {
  const { why, listPolicyStats } = handlers(async () => true);
  for (const [change, code] of [
    [{ from: 'nobody' }, 'NOT_FOUND'],
    [{ ipVersion: 6 }, 'INVALID_ARGUMENT'],
    [{ ipVersion: 5 }, 'INVALID_ARGUMENT'],
    [{ from: '192.0.2.1', to: '192.0.2.2' }, 'INVALID_ARGUMENT'],
  ] as const) {
    const bad = create(WhyRequestSchema, { ...request, ...change });
    await assert.rejects(why(bad, context), isCode(code));
  }
  const stats = create(ListPolicyStatsRequestSchema, { node: 'n9' });
  await assert.rejects(listPolicyStats(stats, context), isCode('NOT_FOUND'));
});
