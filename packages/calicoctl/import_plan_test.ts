import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDocuments } from './documents.ts';
import { planImport } from './import_plan.ts';
import { type Request, requestsOf } from './requests.ts';

const document = (kind: string, name: string, spec: unknown) =>
  JSON.stringify({ kind, metadata: { name }, spec });

const endpointOf = (spec: object) => ({
  node: 'n1',
  orchestrator: 'k8s',
  endpoint: 'eth0',
  pod: 'w',
  interfaceName: 'cali1',
  ...spec,
});

const planOf = (...documents: string[]) =>
  planImport(requestsOf(parseDocuments(documents.join('\n---\n'), 'f'), undefined));

const specs = (requests: readonly Request[]) =>
  requests.map((request) => [request.kind, request.document['spec']]);

const POOL = document('IPPool', 'p', { cidr: '10.0.0.0/24' });

function block(affinity: string | undefined, attributes: readonly unknown[]): string {
  const allocations = attributes.map((_, index) => index);
  return document('IPAMBlock', '10-0-0-4-30', {
    cidr: '10.0.0.4/30',
    ...(affinity === undefined ? {} : { affinity }),
    allocations: [...allocations, null, null, null].slice(0, 4),
    unallocated: [],
    attributes,
  });
}

test('planImport() assigns before it forbids assignments, and endpoints come last', () => {
  const strict = { strictAffinity: true, autoAllocateBlocks: false, maxBlocksPerHost: 3 };
  const open = { strictAffinity: false, autoAllocateBlocks: true, maxBlocksPerHost: 0 };
  const off = { cidr: '10.1.0.0/24', disabled: true };
  const endpoint = endpointOf({});
  const { first, last, leftOut } = planOf(
    document('IPAMConfiguration', 'default', { ...strict, ipCooldownSeconds: 5 }),
    POOL,
    document('IPPool', 'off', off),
    document('WorkloadEndpoint', 'w', endpoint),
  );
  assert.deepEqual(specs(first), [
    ['IPAMConfiguration', { ...open, ipCooldownSeconds: 5 }],
    ['IPPool', { cidr: '10.0.0.0/24' }],
    ['IPPool', { ...off, disabled: false }],
  ]);
  assert.deepEqual(specs(last), [
    ['IPAMConfiguration', { ...strict, ipCooldownSeconds: 5 }],
    ['IPPool', off],
    ['WorkloadEndpoint', endpoint],
  ]);
  assert.deepEqual(leftOut, []);
});

test('planImport() asks endpoints for a node that the block does not tell', () => {
  const held = block(undefined, [
    { handle_id: 'a' },
    { handle_id: 'b' },
    { secondary: { node: 'n' } },
  ]);
  const endpoint = endpointOf({ ipNetworks: ['10.0.0.4/32'] });
  const { blocks, leftOut } = planOf(POOL, held, document('WorkloadEndpoint', 'w', endpoint));
  assert.deepEqual(blocks, [
    {
      name: '10-0-0-4-30',
      cidr: '10.0.0.4/30',
      node: undefined,
      addresses: [{ address: '10.0.0.4', handleId: 'a', node: 'n1', attributes: {} }],
    },
  ]);
  assert.deepEqual(leftOut, [
    '10.0.0.5 of block 10.0.0.4/30: its node is not known',
    '10.0.0.6 of block 10.0.0.4/30: it has no handle',
  ]);
});

test('planImport() leaves out what is in no pool', () => {
  const { blocks, leftOut } = planOf(block('host:n1', [{ handle_id: 'a' }]));
  assert.deepEqual(
    [blocks, leftOut],
    [[], ['1 address(es) of block 10.0.0.4/30: it is in no pool']],
  );
  assert.deepEqual(planOf(block('host:n1', [])).leftOut, []);
});
