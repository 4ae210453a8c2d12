// Watches for changes of what felix owns. Its own changes show up too; they cost one empty pass.
import type { Clock } from '@calico/clock';
import { isLinkLocal } from '@calico/ip';
import { type Link, type MonitorEvent, type Netlink, openMonitor } from '@calico/netlink';
import {
  IPIP_DEVICE,
  POD_DEVICE_PREFIX,
  PROTOCOL_FELIX,
  vxlanFamilyOf,
} from '../core/dataplane.ts';
import type { Log } from '../ports.ts';
import { KnownAddresses } from './known_addresses.ts';

const REOPEN_MS = 1_000;
/** Routes of pods' devices have the boot protocol, or those by which people make routes. */
const RTPROT_STATIC = 4;

export class KernelMonitor {
  readonly #netlink: Pick<Netlink, 'linkByIndex'>;
  readonly #onChange: () => void;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  /** Index of each interface seen -> whether it was up, and its MTU. */
  readonly #links = new Map<number, Pick<Link, 'up' | 'mtu'>>();

  constructor(parts: {
    readonly netlink: Pick<Netlink, 'linkByIndex'>;
    readonly onChange: () => void;
    readonly log: Log;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  }) {
    this.#netlink = parts.netlink;
    this.#onChange = parts.onChange;
    this.#log = parts.log;
    this.#clock = parts.clock;
    this.#signal = parts.signal;
  }

  /** Runs until the signal aborts. */
  async run(): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        await this.#watch();
      } catch (cause) {
        this.#log.error('netlink monitor failed, opening it again', { error: cause });
        await this.#clock.sleep(REOPEN_MS, this.#signal).catch(() => {});
        // Whatever happened in between was not seen.
        this.#onChange();
      }
    }
  }

  async #watch(): Promise<void> {
    const monitor = openMonitor([
      'link',
      'ipv4-address',
      'ipv6-address',
      'ipv4-route',
      'ipv6-route',
      'neighbour',
    ]);
    const addresses = new KnownAddresses();
    const close = (): void => monitor.close();
    this.#signal.addEventListener('abort', close, { once: true });
    try {
      for await (const event of monitor) {
        if (this.#matters(event) && !addresses.isRepeated(event)) this.#onChange();
      }
    } finally {
      this.#signal.removeEventListener('abort', close);
      monitor.close();
    }
  }

  #matters(event: MonitorEvent): boolean {
    switch (event.kind) {
      case 'overrun':
        return true;
      case 'address':
        // Every interface of a pod gets a link-local one of the kernel, which is not of full length.
        return !isLinkLocal(event.address.address) || event.address.prefixLength === 128;
      case 'link':
        if (event.action === 'deleted') this.#links.delete(event.link.index);
        return (
          event.action === 'deleted' ||
          this.#isOther(event.link) ||
          event.link.kind === 'vxlan' ||
          event.link.name === IPIP_DEVICE ||
          event.link.name.startsWith(POD_DEVICE_PREFIX)
        );
      case 'route':
        return event.route.protocol === PROTOCOL_FELIX || event.route.protocol <= RTPROT_STATIC;
      case 'neighbour':
        // Those of pods come and go all the time. A deleted entry does not say any more what it was.
        return this.#isTunnel(event.neighbour.interfaceIndex);
      case 'fdb':
        return this.#isTunnel(event.entry.interfaceIndex);
      case 'rule':
      case 'nexthop':
        return false;
      default:
        return event satisfies never;
    }
  }

  /**
   * The kernel drops the routes of an interface that goes down without a message for each. The MTU of an uplink is that of
   * tunnels, too.
   */
  #isOther({ index, up, mtu }: Link): boolean {
    const before = this.#links.get(index);
    this.#links.set(index, { up, mtu });
    return before?.up !== up || before.mtu !== mtu;
  }

  #isTunnel(index: number): boolean {
    const link = this.#netlink.linkByIndex(index);
    return link !== undefined && vxlanFamilyOf(link.name) !== undefined;
  }
}
