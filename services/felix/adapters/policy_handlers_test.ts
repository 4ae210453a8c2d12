import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clearImmediate, setImmediate } from 'node:timers';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { MemoryBroker, NodeRefused } from '@calico/bus';
import { systemClock } from '@calico/clock';
import { parseAddress } from '@calico/ip';
import { parseResource, type WorkloadEndpoint } from '@calico/model';
import {
  ExplainRequestSchema,
  ExplainResponseSchema,
  GetStatsRequestSchema,
  PreviewRequestSchema,
} from '@calico/proto/felix/v1/policy';
import { RpcError } from '@calico/rpc';
import { compile } from '../core/policy/compiler/compile.ts';
import { NO_INPUTS } from '../core/policy/sample_inputs.ts';
import type { ConnectionTable, PolicyInputs } from '../ports.ts';
import { createPolicyHandlers, type EnforcedPolicy } from './policy_handlers.ts';
import { answerPolicyQuestions } from './policy_questions.ts';

const API = 'projectcalico.org/v3';
const context = { peer: 'test', signal: new AbortController().signal };

function pod(name: string, index: number): WorkloadEndpoint {
  return parseResource({
    apiVersion: API,
    kind: 'WorkloadEndpoint',
    metadata: { name: `n1-k8s-${name}-eth0`, namespace: 'default', labels: { role: name } },
    spec: {
      orchestrator: 'k8s',
      node: 'n1',
      pod: name,
      endpoint: 'eth0',
      ipNetworks: [`10.0.0.${index}/32`],
      interfaceName: `cali${name}`,
      profiles: ['kns.default'],
    },
  }) as WorkloadEndpoint;
}

const PODS = [pod('client', 1), pod('web', 2)];
const INPUTS: PolicyInputs = {
  ...NO_INPUTS,
  node: 'n1',
  localEndpoints: PODS,
  workloadEndpoints: PODS,
};
const NO_CONNECTIONS: ConnectionTable = {
  list: () => [],
  change: () => {},
  forget: () => {},
  interfaceOf: () => 'eth0',
};
const ENFORCED: EnforcedPolicy = { inputs: INPUTS, ruleset: compile(INPUTS) };

function handlersFor(enforced: EnforcedPolicy | undefined, connections = NO_CONNECTIONS) {
  return createPolicyHandlers({
    node: 'n1',
    enforced: () => enforced,
    stats: () => [],
    connections,
    workloads: () => [],
    interfaceName: () => undefined,
  });
}

const flow = { source: '10.0.0.1', destination: '10.0.0.2', protocol: 6, destinationPort: 80 };
const isCode = (code: string) => (cause: unknown) =>
  cause instanceof RpcError && cause.code === code;

test('explain() answers from what is in force, and refuses a flow that cannot be', async () => {
  const request = create(ExplainRequestSchema, { flow });
  const { allowed, because } = await handlersFor(ENFORCED).explain(request, context);
  assert.equal(allowed, true);
  assert.match(because ?? '', /Profile kns.default rule 1 Allow/);
  await assert.rejects(handlersFor(undefined).explain(request, context), isCode('UNAVAILABLE'));
  for (const wrong of [{ source: 'x' }, { source: 'fd00::1' }, { protocol: 300 }]) {
    const bad = create(ExplainRequestSchema, { flow: { ...flow, ...wrong } });
    await assert.rejects(handlersFor(ENFORCED).explain(bad, context), isCode('INVALID_ARGUMENT'));
  }
});

const CLOSED_WEB = {
  apiVersion: API,
  kind: 'NetworkPolicy',
  metadata: { name: 'p', namespace: 'default' },
  spec: { selector: "role == 'web'", types: ['Ingress'] },
};
const CLOSING = create(PreviewRequestSchema, {
  put: [{ kind: 'NetworkPolicy', name: 'p', json: JSON.stringify(CLOSED_WEB) }],
});

test('preview() says what a policy would change, and changes nothing', async () => {
  const { changes } = await handlersFor(ENFORCED).preview(CLOSING, context);
  assert.deepEqual(
    changes?.map(({ from, to, what, allowedAfter }) => `${from} ${to} ${what} ${allowedAfter}`),
    ['default/client default/web everything false', 'outside default/web everything false'],
  );
  const wrong = create(PreviewRequestSchema, { put: [{ kind: 'IPPool', name: 'p', json: '{}' }] });
  await assert.rejects(handlersFor(ENFORCED).preview(wrong, context), isCode('INVALID_ARGUMENT'));
});

test('preview() judges many connections without keeping others from their turn', async () => {
  const [source, destination] = [parseAddress('10.0.0.1'), parseAddress('10.0.0.2')];
  const entries = Array.from({ length: 1_001 }, (_, id) => {
    const tuple = { protocol: 6, ports: { source: id, destination: 80 }, icmp: undefined };
    return {
      original: { ...tuple, source, destination },
      reply: {
        ...tuple,
        ports: { source: 80, destination: id },
        source: destination,
        destination: source,
      },
      status: 0,
      mark: 0,
      zone: 0,
      id,
    };
  });
  let asked = 0;
  let turns = 0;
  const count = (): void => {
    turns++;
    immediate = setImmediate(count);
  };
  let immediate = setImmediate(count);
  const connections: ConnectionTable = {
    ...NO_CONNECTIONS,
    list: () => entries,
    interfaceOf: ({ value }) => {
      asked++;
      return value === source.value ? 'caliclient' : 'caliweb';
    },
  };
  const { cut, cutUnknown } = await handlersFor(ENFORCED, connections).preview(CLOSING, context);
  clearImmediate(immediate);
  assert.equal(cut?.length, 200);
  assert.deepEqual([cut?.[0]?.from, cut?.[0]?.to], ['default/client', 'default/web']);
  assert.equal(cutUnknown, '801 more are not listed');
  assert.ok(asked < 10, `${asked} questions for routes`);
  assert.ok(turns >= 3, `${turns} turns`);
});

test('questions over the bus are answered by the same handlers', async () => {
  const broker = new MemoryBroker(systemClock);
  const [asking, answering] = [broker.connect(), broker.connect()];
  const stop = answerPolicyQuestions(answering, 'n1', handlersFor(ENFORCED));
  const request = toBinary(ExplainRequestSchema, create(ExplainRequestSchema, { flow }));
  const answer = await asking.ask('n1', 'Explain', request, 60_000);
  assert.equal(fromBinary(ExplainResponseSchema, answer).allowed, true);
  const nothing = toBinary(GetStatsRequestSchema, create(GetStatsRequestSchema));
  await assert.rejects(
    asking.ask('n1', 'Destroy', nothing, 60_000),
    (cause) => cause instanceof NodeRefused && cause.code === 'UNIMPLEMENTED',
  );
  stop();
  await broker.close();
});
