// Connection tracking without connections, for tests.
import type { ConnectionTable } from '../ports.ts';

/** Addresses that are forgotten are added to `forgotten`, after `alive` has not thrown. */
export function fakeConnections(forgotten: string[], alive: () => void): ConnectionTable {
  return {
    list: () => [],
    change: () => {},
    forget: (addresses) => {
      alive();
      forgotten.push(...addresses);
    },
    interfaceOf: () => '',
  };
}
