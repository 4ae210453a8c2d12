// The device that holds an address. The one that held it last is asked before all devices of a host that may have ten
// thousand pods, each with addresses of its own.
import { type Address, parseAddress } from '@calico/ip';
import type { Netlink } from '@calico/netlink';
import type { Uplink } from '../core/uplinks.ts';

export class UplinkFinder {
  readonly #netlink: Pick<Netlink, 'addresses' | 'linkByIndex'>;
  /** Address -> index of the device that held it last. */
  readonly #holders = new Map<string, number>();

  constructor(netlink: Pick<Netlink, 'addresses' | 'linkByIndex'>) {
    this.#netlink = netlink;
  }

  find(text: string): Uplink | undefined {
    const address = parseAddress(text);
    const last = this.#holders.get(text);
    const holder =
      (last === undefined ? undefined : this.#holderOf(address, last)) ?? this.#holderOf(address);
    if (holder === undefined) return undefined;
    this.#holders.set(text, holder);
    const link = this.#netlink.linkByIndex(holder);
    return link === undefined ? undefined : { device: link.name, mtu: link.mtu };
  }

  /** @param interfaceIndex the only device to ask */
  #holderOf({ family, value }: Address, interfaceIndex?: number): number | undefined {
    const filter = interfaceIndex === undefined ? { family } : { family, interfaceIndex };
    return this.#netlink.addresses(filter).find(({ address }) => address.value === value)
      ?.interfaceIndex;
  }
}
