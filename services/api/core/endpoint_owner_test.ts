import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResource } from '@calico/model';
import { endpointProblem } from './endpoint_owner.ts';

const ENDPOINT = parseResource({
  apiVersion: 'projectcalico.org/v3',
  kind: 'WorkloadEndpoint',
  metadata: { name: 'n1-k8s-a-eth0', namespace: 'default' },
  spec: { orchestrator: 'k8s', node: 'n1', containerID: 'c1', pod: 'a', endpoint: 'eth0' },
});

const of = (containerID: string) => JSON.stringify({ block: {}, owner: { containerID } });

test('endpointProblem() wants a handle that exists and is of the container, or of nobody known', () => {
  assert.equal(endpointProblem(ENDPOINT, 'net.c1', of('c1')), undefined);
  assert.equal(endpointProblem(ENDPOINT, 'net.c1', '{"block":{}}'), undefined);
  assert.match(endpointProblem(ENDPOINT, 'net.c1', undefined) ?? '', /holds no addresses/);
  assert.match(endpointProblem(ENDPOINT, 'net.c1', of('c2')) ?? '', /belongs to container "c2"/);
});

test('endpointProblem() refuses a handle for anything else', () => {
  const kind = 'IPPool';
  const pool = parseResource({
    apiVersion: 'projectcalico.org/v3',
    kind,
    metadata: { name: 'p' },
    spec: { cidr: '10.0.0.0/16' },
  });
  assert.match(endpointProblem(pool, 'h', '{}') ?? '', /expected a WorkloadEndpoint/);
});
