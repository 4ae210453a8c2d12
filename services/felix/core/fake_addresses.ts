// What the ipam service assigns in fake_world.ts; ready addresses are in fake_leases.ts.
import type { AddressBook } from '../ports.ts';
import type { FakeWorld } from './fake_world.ts';
import type { AssignedAddress } from './workload.ts';
import { WorkloadError } from './workload_error.ts';

export function fakeAddresses(world: FakeWorld, alive: () => void): AddressBook {
  return {
    assign: async ({ handle, workload }) => {
      alive();
      return assign(
        world,
        handle,
        (number) => workload.requestedAddresses[0] ?? `10.244.0.${number}`,
      );
    },
    releaseWorkload: async ({ handle, endpoint }) => {
      alive();
      release(world, handle);
      return endpoint === undefined ? undefined : (world.removeEndpoint(endpoint) ?? 0n);
    },
    assignTunnel: async (kind) => {
      alive();
      if (kind === world.exhaustedTunnel) throw new WorkloadError('exhausted', 'no address left');
      const network = kind === 'vxlan-v6' ? 'fd00:10:244::' : '10.244.0.';
      const assigned = assign(world, `${kind}-tunnel-addr-n1`, (number) => `${network}${number}`);
      return assigned[0]?.address ?? '';
    },
    releaseTunnel: async (kind) => {
      alive();
      release(world, `${kind}-tunnel-addr-n1`);
    },
    probe: async () => world.requireIpam(),
  };
}

function assign(
  world: FakeWorld,
  handle: string,
  addressOf: (number: number) => string,
): AssignedAddress[] {
  world.requireIpam();
  const held = world.assigned.get(handle);
  if (held !== undefined) return held;
  const address = addressOf(world.nextAddress++);
  const fresh = [{ address, block: '10.244.0.0/26', pool: 'pool' }];
  world.assigned.set(handle, fresh);
  return fresh;
}

function release(world: FakeWorld, handle: string): void {
  world.requireIpam();
  if (handle === world.stuckHandle) {
    throw new WorkloadError('unavailable', 'Cannot release: no answer from ipam in time');
  }
  world.assigned.delete(handle);
}
