import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS, type Kind } from '@calico/model';
import * as fc from 'fast-check';
import { SubjectError } from './errors.ts';
import {
  type NodeTopic,
  nodeSubject,
  parseNodeSubject,
  parseResourceSubject,
  resourceSubject,
  TOPICS,
} from './subjects.ts';

const NAME = fc.string({ unit: 'binary', minLength: 1 });
const KIND = fc.constantFrom(...(Object.keys(KINDS) as Kind[]));
const TOPIC = fc.constantFrom(...(Object.keys(TOPICS) as NodeTopic[]));

test('resourceSubject() names plural, namespace and name', () => {
  assert.equal(
    resourceSubject({ kind: 'IPPool', namespace: '', name: 'default-ipv4-ippool' }),
    'calico.resource.ippools._.default-ipv4-ippool',
  );
  assert.equal(
    resourceSubject({ kind: 'NetworkPolicy', namespace: 'default', name: 'default.allow' }),
    'calico.resource.networkpolicies.default.default%2Eallow',
  );
});

test('resourceSubject() of a WorkloadEndpoint holds its node', () => {
  const key = { kind: 'WorkloadEndpoint', namespace: 'default', name: 'n-k8s-p-eth0' } as const;
  assert.equal(
    resourceSubject(key, 'k8s-node02'),
    'calico.resource.workloadendpoints.k8s-node02.default.n-k8s-p-eth0',
  );
  assert.throws(() => resourceSubject(key), SubjectError);
});

test('parseResourceSubject() is the inverse of resourceSubject()', () => {
  fc.assert(
    fc.property(KIND, fc.option(NAME, { nil: '' }), NAME, NAME, (kind, namespace, name, at) => {
      const key = { kind, namespace, name };
      const node = kind === 'WorkloadEndpoint' ? at : undefined;
      assert.deepEqual(parseResourceSubject(resourceSubject(key, node)), { key, node });
    }),
    { numRuns: 1_000 },
  );
});

test('nodeSubject() names node, topic and component or part', () => {
  assert.equal(nodeSubject('k8s-node01', 'peers'), 'calico.node.k8s-node01.peers');
  assert.equal(nodeSubject('a.b', 'applied', 'felix'), 'calico.node.a%2Eb.applied.felix');
  assert.equal(nodeSubject('n', 'endpoints', '3'), 'calico.node.n.endpoints.3');
  assert.throws(() => nodeSubject('n', 'health'), SubjectError);
});

test('parseNodeSubject() is the inverse of nodeSubject()', () => {
  fc.assert(
    fc.property(NAME, TOPIC, NAME, (node, topic, by) => {
      const detail = TOPICS[topic] === undefined ? undefined : by;
      assert.deepEqual(parseNodeSubject(nodeSubject(node, topic, detail)), { node, topic, detail });
    }),
    { numRuns: 1_000 },
  );
});

test('parseNodeSubject() reads the subject of endpoints that are not divided', () => {
  const expected = { node: 'n', topic: 'endpoints', detail: '0' };
  assert.deepEqual(parseNodeSubject('calico.node.n.endpoints'), expected);
  assert.throws(() => parseNodeSubject('calico.node.n.health'), SubjectError);
});

function onlySubjectError(parse: () => unknown): void {
  try {
    parse();
  } catch (cause) {
    assert.ok(cause instanceof SubjectError, String(cause));
  }
}

test('parsers of subjects throw SubjectError for what is none', () => {
  const subject = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom('calico', 'resource', 'node', 'ippools', 'peers', '_', '', 'x', '%'))
      .map((tokens) => tokens.join('.')),
  );
  fc.assert(
    fc.property(subject, (text) => {
      onlySubjectError(() => parseResourceSubject(text));
      onlySubjectError(() => parseNodeSubject(text));
    }),
    { numRuns: 5_000 },
  );
});
