import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import {
  EndpointState,
  NodeAppliedSchema,
  NodeEndpointsSchema,
  NodeHealthSchema,
  NodePeersSchema,
} from '@calico/proto/events/v1/events';
import { appliedProgress } from './applied_progress.ts';
import { type NodeReports, type Report, withReport } from './node_reports.ts';
import { nodeStatus } from './node_status.ts';

const applied = (
  component: string,
  revision: bigint,
  inSync = true,
  receivedAt = 1000,
): Report => ({
  topic: 'applied',
  node: 'n1',
  component,
  message: create(NodeAppliedSchema, { node: 'n1', component, revision, inSync }),
  receivedAt,
});
const health = (component: string, ready: boolean, receivedAt = 1000): Report => ({
  topic: 'health',
  node: 'n1',
  component,
  message: create(NodeHealthSchema, { node: 'n1', component, ready }),
  receivedAt,
});

function told(...reports: Report[]): NodeReports {
  const [first, ...rest] = reports as [Report, ...Report[]];
  return rest.reduce((story, report) => withReport(story, report), withReport(undefined, first));
}

test('nodeStatus() counts peers and endpoints and is ready when both components are', () => {
  const reports = told(
    health('felix', true),
    health('bgp', true),
    {
      topic: 'peers',
      node: 'n1',
      component: undefined,
      message: create(NodePeersSchema, { peers: [{ state: 'Established' }, { state: 'Active' }] }),
      receivedAt: 1000,
    },
    {
      topic: 'endpoints',
      node: 'n1',
      component: undefined,
      message: create(NodeEndpointsSchema, { parts: 1, endpoints: [{ state: EndpointState.UP }] }),
      receivedAt: 1000,
    },
  );
  const status = nodeStatus('n1', reports, 2000);
  assert.equal(status.ready, true);
  assert.deepEqual([status.peersEstablished, status.peersTotal], [1, 2]);
  assert.deepEqual([status.endpointsUp, status.endpointsTotal], [1, 1]);
});

const part = (number: number, parts: number, ...names: string[]): Report => ({
  topic: 'endpoints',
  node: 'n1',
  component: undefined,
  message: create(NodeEndpointsSchema, {
    part: number,
    parts,
    endpoints: names.map((name) => ({ name })),
  }),
  receivedAt: 1000,
});

const namesOf = (...reports: Report[]): string[] =>
  told(...reports).endpoints.flatMap(({ endpoints }) => endpoints.map(({ name }) => name));

test('withReport() shows a division of endpoints when all parts of it are there', () => {
  const whole = part(0, 1, 'a', 'b');
  assert.deepEqual(namesOf(whole, part(0, 2, 'a')), ['a', 'b']);
  assert.deepEqual(namesOf(whole, part(0, 2, 'a'), part(1, 2, 'b', 'c')), ['a', 'b', 'c']);
  assert.deepEqual(namesOf(part(1, 2, 'b'), part(0, 2, 'a'), part(1, 2)), ['a']);
  assert.deepEqual(namesOf(part(1, 2, 'old'), whole), ['a', 'b']);
});

function messages(reports: NodeReports | undefined, now: number): string[] | undefined {
  const status = nodeStatus('n1', reports, now);
  assert.equal(status.ready, false);
  return status.health?.flatMap(({ messages: texts = [] }) => texts);
}

test('nodeStatus() says why a node is not ready: silent, never heard of, a component missing', () => {
  assert.deepEqual(messages(undefined, 0), ['has never reported']);
  assert.deepEqual(messages(told(health('felix', true)), 2000), ['bgp has not reported']);
  const both = told(health('felix', true), health('bgp', true));
  assert.deepEqual(messages(both, 43_500), [
    'node has not reported since 1970-01-01T00:00:01.000Z',
  ]);
  const half = told(health('felix', true, 40_000), health('bgp', true));
  assert.deepEqual(messages(half, 43_500), ['bgp has not reported since 1970-01-01T00:00:01.000Z']);
});

test('appliedProgress() waits for every component that acts on the kind', () => {
  const reports = new Map([
    ['n1', told(applied('felix', 7n), applied('bgp', 7n))],
    ['n2', told(applied('felix', 7n), applied('bgp', 6n))],
  ]);
  const progress = (kind: string, revision: bigint) =>
    appliedProgress([{ kind, revision }], ['n1', 'n2'], (node) => reports.get(node));
  assert.deepEqual(progress('IPPool', 7n), {
    nodesApplied: 1,
    nodesTotal: 2,
    waitingFor: ['n2 (bgp)'],
  });
  assert.equal(progress('NetworkPolicy', 7n).nodesApplied, 2);
  assert.deepEqual(progress('NetworkPolicy', 8n).waitingFor, ['n1 (felix)', 'n2 (felix)']);
  assert.equal(progress('IPAMConfiguration', 99n).nodesApplied, 2);
  assert.throws(() => progress('Nonsense', 1n), RangeError);
});

test('appliedProgress() does not believe a component that is not in sync', () => {
  const reports = told(applied('felix', 9n, false));
  const { waitingFor } = appliedProgress([{ kind: 'Tier', revision: 5n }], ['n1'], () => reports);
  assert.deepEqual(waitingFor, ['n1 (felix)']);
});
