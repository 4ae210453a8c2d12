// Tells new addresses from those whose lifetime was extended: of both the kernel says that they are new, of IPv6 addresses
// by SLAAC every few seconds.
import { formatAddress } from '@calico/ip';
import type { MonitorEvent } from '@calico/netlink';

export class KnownAddresses {
  readonly #known = new Set<string>();

  /** Takes note of every event. Whether it says nothing but what is known. */
  isRepeated(event: MonitorEvent): boolean {
    if (event.kind === 'overrun') this.#known.clear();
    if (event.kind !== 'address') return false;
    const { interfaceIndex, address, prefixLength } = event.address;
    const key = `${interfaceIndex} ${formatAddress(address)}/${prefixLength}`;
    if (event.action === 'deleted') {
      this.#known.delete(key);
      return false;
    }
    const isKnown = this.#known.has(key);
    this.#known.add(key);
    return isKnown;
  }
}
