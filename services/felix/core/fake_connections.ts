// Connection tracking of which nothing changes, for tests.
import type { ConnectionTable } from '../ports.ts';

/** Addresses that are forgotten are added to `forgotten`, after `alive` has not thrown. */
export function fakeConnections(
  forgotten: string[],
  alive: () => void,
  list: ConnectionTable['list'],
): ConnectionTable {
  return {
    list,
    change: () => {},
    forget: (addresses) => {
      alive();
      forgotten.push(...addresses);
    },
    interfaceOf: () => '',
  };
}
