// Connection tracking of the host, with the interfaces that routes lead to.
import { type Address, parseAddress } from '@calico/ip';
import { type Conntrack, type Netlink, NetlinkError } from '@calico/netlink';
import type { ConnectionChange, TrackedConnection } from '../core/policy/connections/connection.ts';
import type { ConnectionTable, Log } from '../ports.ts';

/** No interface has this name: nobody here has the address. */
const NOWHERE = 'unreachable';

export class KernelConnections implements ConnectionTable {
  readonly #conntrack: Conntrack;
  readonly #netlink: Pick<Netlink, 'routeTo' | 'linkByIndex'>;
  readonly #log: Log;

  constructor(conntrack: Conntrack, netlink: Pick<Netlink, 'routeTo' | 'linkByIndex'>, log: Log) {
    this.#conntrack = conntrack;
    this.#netlink = netlink;
    this.#log = log;
  }

  list(): TrackedConnection[] {
    return this.#conntrack.list();
  }

  change(changes: readonly ConnectionChange[]): void {
    const [failure, ...more] = this.#conntrack.change(changes);
    if (failure === undefined) return;
    const count = more.length === 0 ? '' : ` and ${more.length} more failures`;
    throw new NetlinkError(
      failure.code,
      `Cannot change tracked connections: ${failure.code} ${failure.message}${count}`,
    );
  }

  /** A kernel without connection tracking has nothing to forget. */
  forget(addresses: readonly string[]): void {
    for (const address of addresses) {
      try {
        this.#conntrack.forget(parseAddress(address));
      } catch (cause) {
        this.#log.warn('connections of a released address cannot be forgotten', {
          address,
          cause: String(cause),
        });
      }
    }
  }

  interfaceOf(address: Address): string {
    const route = this.#netlink.routeTo(address);
    if (route?.type === 'local') return '';
    const index = route?.nextHops[0]?.interfaceIndex;
    return (index === undefined ? undefined : this.#netlink.linkByIndex(index)?.name) ?? NOWHERE;
  }

  close(): void {
    this.#conntrack.close();
  }
}
