import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyResource, Kind, WorkloadEndpoint } from '@calico/model';
import * as fc from 'fast-check';
import type { ClusterView } from '../ports.ts';
import { LocalEndpoints } from './local_endpoints.ts';
import type { WorkloadRecord } from './workload.ts';
import { WorkloadBook } from './workload_book.ts';
import { localEndpoints } from './workload_endpoint.ts';

const PODS = ['a', 'b', 'c'] as const;
const CONTAINERS = ['c1', 'c2'] as const;
type Pod = (typeof PODS)[number];
type Container = (typeof CONTAINERS)[number];

type Step =
  | {
      readonly kind: 'note';
      readonly pod: Pod;
      readonly container: Container;
      readonly phase: WorkloadRecord['phase'];
    }
  | {
      readonly kind: 'forget' | 'delete' | 'write' | 'put';
      readonly pod: Pod;
      readonly container: Container;
    }
  | { readonly kind: 'vanish'; readonly pod: Pod }
  | { readonly kind: 'see'; readonly revision: bigint };

const pod = fc.constantFrom(...PODS);
const container = fc.constantFrom(...CONTAINERS);
const phase = fc.constantFrom('adding', 'present', 'removing');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('note'), pod, container, phase }),
  fc.record({ kind: fc.constantFrom('forget', 'delete', 'write', 'put'), pod, container }),
  fc.record({ kind: fc.constant('vanish'), pod }),
  fc.record({ kind: fc.constant('see'), revision: fc.bigInt(0n, 3n) }),
) as fc.Arbitrary<Step>;

function recordOf(name: Pod, containerId: Container, of: WorkloadRecord['phase']): WorkloadRecord {
  const workload = {
    namespace: 'default',
    pod: name,
    containerId,
    interfaceName: 'eth0',
    serviceAccount: '',
    labels: {},
    ports: [],
  };
  const addresses = [{ address: '10.0.0.1', block: '10.0.0.0/26', pool: 'pool' }];
  return {
    workload,
    endpointName: name,
    phase: of,
    addresses,
    hostInterface: `cali${name}`,
    containerMac: '',
  } as unknown as WorkloadRecord;
}

function endpointOf(name: Pod, containerID: Container): WorkloadEndpoint {
  return {
    kind: 'WorkloadEndpoint',
    metadata: { namespace: 'default', name },
    spec: { node: 'n1', containerID },
  } as unknown as WorkloadEndpoint;
}

test('list() has what localEndpoints() makes of all, and is the same array while nothing changes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 30 }), async (steps) => {
      const book = new WorkloadBook({
        load: () => [],
        write: async () => {},
        forget: async () => {},
      });
      const stored = new Map<string, WorkloadEndpoint>();
      const view: ClusterView = {
        inSync: true,
        revision: 1n,
        list: <K extends Kind>() =>
          [...stored.values()] as unknown as Extract<AnyResource, { readonly kind: K }>[],
      };
      const local = new LocalEndpoints('n1', view, book);
      for (const [one, isAsked] of steps) {
        await carryOut(one, book, stored);
        if (!isAsked) continue;
        const isDeleted = (endpoint: WorkloadEndpoint): boolean => book.isDeleted(endpoint);
        const expected = localEndpoints(
          'n1',
          book.records,
          view.list('WorkloadEndpoint'),
          isDeleted,
        );
        assert.deepEqual(new Set(local.list()), new Set(expected));
        assert.deepEqual(
          local.endpoints(),
          local.list().map(({ endpoint }) => endpoint),
        );
        assert.equal(local.list(), local.list());
      }
    }),
    { numRuns: 300 },
  );
});

async function carryOut(
  one: Step,
  book: WorkloadBook,
  stored: Map<string, WorkloadEndpoint>,
): Promise<void> {
  switch (one.kind) {
    case 'note':
      return book.note(recordOf(one.pod, one.container, one.phase));
    case 'forget':
      return book.forget(recordOf(one.pod, one.container, 'present').workload);
    case 'delete':
      return book.noteDeleted({
        namespace: 'default',
        name: one.pod,
        containerId: one.container,
        revision: 2n,
      });
    case 'write':
      return book.noteWritten('default', one.pod, 2n);
    case 'put':
      stored.set(one.pod, endpointOf(one.pod, one.container));
      return;
    case 'vanish':
      stored.delete(one.pod);
      return;
    case 'see':
      return book.forgetDeleted(one.revision);
    default:
      one satisfies never;
  }
}
