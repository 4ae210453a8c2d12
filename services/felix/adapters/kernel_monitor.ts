// Watches for changes of what felix owns. Its own changes show up too; they cost one empty pass.
import { type MonitorEvent, openMonitor } from '@calico/netlink';
import { POD_DEVICE_PREFIX, PROTOCOL_FELIX } from '../core/dataplane.ts';
import type { Log } from '../ports.ts';

const REOPEN_MS = 1_000;
/** NUD states of pods come and go all the time: only deletions of ours matter. */
const RTPROT_BOOT = 3;

export class KernelMonitor {
  readonly #onChange: () => void;
  readonly #log: Log;
  readonly #signal: AbortSignal;

  constructor(parts: {
    readonly onChange: () => void;
    readonly log: Log;
    readonly signal: AbortSignal;
  }) {
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
      for await (const event of monitor) if (matters(event)) this.#onChange();
    } finally {
      this.#signal.removeEventListener('abort', close);
      monitor.close();
    }
  }
}

function matters(event: MonitorEvent): boolean {
  switch (event.kind) {
    case 'overrun':
    case 'address':
      return true;
    case 'link':
      return (
        event.link.name.startsWith(POD_DEVICE_PREFIX) ||
        event.link.kind === 'vxlan' ||
        event.link.name === 'tunl0' ||
        event.action === 'deleted'
      );
    case 'route':
      // Felix' own, and those of pods' devices, which have the boot protocol or a foreign one.
      return event.route.protocol === PROTOCOL_FELIX || event.route.protocol <= RTPROT_BOOT + 1;
    case 'neighbour':
      return event.neighbour.permanent;
    case 'rule':
      return false;
    default:
      return event satisfies never;
  }
}
