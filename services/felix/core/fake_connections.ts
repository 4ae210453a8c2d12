// Connection tracking of fake_world.ts, of which nothing changes.
import type { ConnectionTable } from '../ports.ts';
import type { FakeWorld } from './fake_world.ts';

export function fakeConnections(world: FakeWorld, alive: () => void): ConnectionTable {
  return {
    list: () => {
      if (world.connectionsFailure !== undefined) throw new Error(world.connectionsFailure);
      return world.connections;
    },
    change: () => {},
    forget: (addresses) => {
      alive();
      world.forgotten.push(...addresses);
    },
    interfaceOf: () => '',
  };
}
