// Watches for changes of what felix owns. Its own changes show up too; they cost one empty pass.
import { type MonitorEvent, type Netlink, openMonitor } from '@calico/netlink';
import { IPIP_DEVICE, POD_DEVICE_PREFIX, PROTOCOL_FELIX, VXLAN_DEVICE } from '../core/dataplane.ts';
import type { Log } from '../ports.ts';

const REOPEN_MS = 1_000;
/** Routes of pods' devices have the boot protocol, or those by which people make routes. */
const RTPROT_STATIC = 4;

export class KernelMonitor {
  readonly #netlink: Pick<Netlink, 'linkByIndex'>;
  readonly #onChange: () => void;
  readonly #log: Log;
  readonly #signal: AbortSignal;

  constructor(parts: {
    readonly netlink: Pick<Netlink, 'linkByIndex'>;
    readonly onChange: () => void;
    readonly log: Log;
    readonly signal: AbortSignal;
  }) {
    this.#netlink = parts.netlink;
    this.#onChange = parts.onChange;
    this.#log = parts.log;
    this.#signal = parts.signal;
  }

  /** Runs until the signal aborts. */
  async run(): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        await this.#watch();
      } catch (cause) {
        this.#log.error('netlink monitor failed, opening it again', { error: cause });
        await new Promise((resolve) => setTimeout(resolve, REOPEN_MS));
        // Whatever happened in between was not seen.
        this.#onChange();
      }
    }
  }

  async #watch(): Promise<void> {
    const monitor = openMonitor(['link', 'ipv4-address', 'ipv4-route', 'ipv6-route', 'neighbour']);
    const close = (): void => monitor.close();
    this.#signal.addEventListener('abort', close, { once: true });
    try {
      for await (const event of monitor) if (this.#matters(event)) this.#onChange();
    } finally {
      this.#signal.removeEventListener('abort', close);
      monitor.close();
    }
  }

  #matters(event: MonitorEvent): boolean {
    switch (event.kind) {
      case 'overrun':
      case 'address':
        return true;
      case 'link':
        return (
          event.action === 'deleted' ||
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
        return false;
      default:
        return event satisfies never;
    }
  }

  #isTunnel(index: number): boolean {
    return this.#netlink.linkByIndex(index)?.name === VXLAN_DEVICE;
  }
}
