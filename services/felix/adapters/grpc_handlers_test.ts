import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import {
  AddWorkloadRequestSchema,
  CheckWorkloadRequestSchema,
  CollectGarbageRequestSchema,
  RemoveWorkloadRequestSchema,
} from '@calico/proto/felix/v1/felix';
import { type CallContext, RpcError } from '@calico/rpc';
import * as fc from 'fast-check';
import type { Workload, WorkloadRecord } from '../core/workload.ts';
import { WorkloadError } from '../core/workload_error.ts';
import type { FelixActions } from '../ports.ts';
import { createHandlers } from './grpc_handlers.ts';

const CONTEXT: CallContext = { peer: 'test', signal: new AbortController().signal };

function recordOf(workload: Workload): WorkloadRecord {
  return {
    version: 1,
    phase: 'present',
    workload,
    hostInterface: 'cali918b33f2bbe',
    containerMac: '02:00:00:00:00:01',
    endpointName: 'e',
    handle: 'h',
    addresses: [{ address: '10.244.58.193', block: '10.244.58.192/26', pool: 'p' }],
    mtu: 1450,
    pending: { endpoint: false, address: false },
  };
}

function handlers(changes: Partial<FelixActions> = {}) {
  return createHandlers({
    add: async (workload) => recordOf(workload),
    remove: async () => {},
    check: () => {},
    collectGarbage: async () => [],
    readiness: async () => ({ reasons: [], isLimited: false }),
    info: () => ({
      node: 'n',
      version: 'v',
      appliedRevision: 1n,
      inSync: true,
      workloads: 0,
      missingFeatures: [],
    }),
    ...changes,
  });
}

const GOOD = {
  containerId: 'c1',
  netns: '/run/netns/x',
  interfaceName: 'eth0',
  network: 'net',
  pod: 'p',
};

test('addWorkload() answers what CNI needs', async () => {
  const answer = await handlers().addWorkload(create(AddWorkloadRequestSchema, GOOD), CONTEXT);
  assert.deepEqual(answer, {
    hostInterface: 'cali918b33f2bbe',
    hostMac: 'ee:ee:ee:ee:ee:ee',
    containerMac: '02:00:00:00:00:01',
    mtu: 1450,
    addresses: ['10.244.58.193/32'],
    routes: [
      { destination: '169.254.1.1/32', gateway: '' },
      { destination: '0.0.0.0/0', gateway: '169.254.1.1' },
    ],
  });
});

test('addWorkload() fills the namespace in and keeps what was asked for', async () => {
  let asked: Workload | undefined;
  const { addWorkload } = handlers({
    add: async (workload) => {
      asked = workload;
      return recordOf(workload);
    },
  });
  const request = { ...GOOD, requestedAddresses: ['fd00:0::1'], labels: { app: 'x' } };
  await addWorkload(create(AddWorkloadRequestSchema, request), CONTEXT);
  assert.equal(asked?.namespace, 'default');
  assert.deepEqual(asked?.requestedAddresses, ['fd00::1']);
  assert.deepEqual([asked?.ipv4, asked?.ipv6], [false, true]);
});

test('every kind of refusal has its status code', async () => {
  const codes = {
    invalid: 'INVALID_ARGUMENT',
    precondition: 'FAILED_PRECONDITION',
    exhausted: 'RESOURCE_EXHAUSTED',
    unavailable: 'UNAVAILABLE',
    missing: 'NOT_FOUND',
    differs: 'DATA_LOSS',
  } as const;
  for (const [kind, code] of Object.entries(codes)) {
    const { addWorkload } = handlers({
      add: async () => {
        throw new WorkloadError(kind as keyof typeof codes, 'why');
      },
    });
    await assert.rejects(
      addWorkload(create(AddWorkloadRequestSchema, GOOD), CONTEXT),
      (error) => error instanceof RpcError && error.code === code && error.message === 'why',
    );
  }
});

test('arbitrary requests are answered or refused with INVALID_ARGUMENT, never with a fault', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom('', 'c1', 'eth0', '/run/netns/x', 'net', '10.0.0.1', '10.0.0.1/32', 'fd00::1'),
  );
  const texts = fc.array(text, { maxLength: 3 });
  const request = fc.record({
    containerId: text,
    netns: text,
    interfaceName: text,
    network: text,
    namespace: text,
    pod: text,
    labels: fc.dictionary(text, text, { maxKeys: 3 }),
    ipv4Pools: texts,
    ipv6Pools: texts,
    requestedAddresses: texts,
    mtu: fc.nat(),
    ports: fc.array(fc.record({ name: text, protocol: text, port: fc.nat() }), { maxLength: 2 }),
    assignIpv6: fc.boolean(),
    skipIpv4: fc.boolean(),
    serviceAccount: text,
  });
  const felix = handlers();
  await fc.assert(
    fc.asyncProperty(request, texts, async (fields, more) => {
      const { containerId, interfaceName, network } = fields;
      await answered(felix.addWorkload(create(AddWorkloadRequestSchema, fields), CONTEXT));
      await answered(felix.removeWorkload(create(RemoveWorkloadRequestSchema, fields), CONTEXT));
      await answered(
        felix.checkWorkload(
          create(CheckWorkloadRequestSchema, { ...fields, expectedAddresses: more }),
          CONTEXT,
        ),
      );
      const validAttachments = [{ containerId, interfaceName }];
      await answered(
        felix.collectGarbage(
          create(CollectGarbageRequestSchema, { network, validAttachments }),
          CONTEXT,
        ),
      );
    }),
    { numRuns: 500 },
  );
});

async function answered(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (cause) {
    assert(cause instanceof RpcError, String(cause));
    assert.equal(cause.code, 'INVALID_ARGUMENT', cause.message);
  }
}
