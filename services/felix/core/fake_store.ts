// The api service of fake_world.ts.
import { keyText, type Node } from '@calico/model';
import type { NodePatch, ResourceStore } from '../ports.ts';
import type { FakeWorld } from './fake_world.ts';
import { WorkloadError } from './workload_error.ts';

export function fakeStore(world: FakeWorld, alive: () => void): ResourceStore {
  const reach = (): void => {
    if (!world.isApiUp) throw new WorkloadError('unavailable', 'Cannot reach api: refused');
  };
  return {
    writeEndpoint: async (endpoint, handle) => {
      alive();
      reach();
      if (
        handle !== undefined &&
        !world.assigned.has(handle) &&
        !world.leases.adopted.has(handle)
      ) {
        throw new WorkloadError('precondition', `handle "${handle}" holds no addresses`);
      }
      if (world.unanswered === undefined) return world.put(endpoint);
      world.unanswered.push(endpoint);
      throw new WorkloadError('unavailable', 'Cannot reach api: no answer in time');
    },
    removeEndpoint: async (endpoint) => {
      alive();
      reach();
      return world.removeEndpoint(endpoint);
    },
    patchNode: async (name, patch) => {
      alive();
      reach();
      const held = world.resources.get(keyText({ kind: 'Node', namespace: '', name }));
      if (held?.kind === 'Node') world.put(patched(held, patch));
    },
    pool: () => world.poolAnswer,
    probe: async () => reach(),
  };
}

/** What the service does with a merge patch (RFC 7396) of a Node's spec. */
function patched(node: Node, { bgp, ...fields }: NodePatch): Node {
  const spec = { ...node.spec, ...fields, bgp: merged({ ...node.spec.bgp, ...bgp }) };
  return { ...node, spec: merged(spec) };
}

function merged(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
