// What the kernel's monitor says, as far as it matters here. Pods come and go all the time: what happens on their
// own interfaces is nothing that next hops, peers or our routes depend on.
import { isLinkLocal } from '@calico/ip';
import type { MonitorEvent, Route } from '@calico/netlink';
import type { KernelNews } from '../ports.ts';
import { type KernelRoutes, newsOfRoute } from './kernel_routes.ts';

const POD_INTERFACE = 'cali';

export class KernelEvents {
  /** Indices of pods' interfaces: whatever else is said of one comes after its link. */
  readonly #pods = new Set<number>();
  readonly #kernel: Pick<KernelRoutes, 'objectChanged'>;

  constructor(kernel: Pick<KernelRoutes, 'objectChanged'>) {
    this.#kernel = kernel;
  }

  newsOf(event: MonitorEvent): KernelNews | undefined {
    switch (event.kind) {
      case 'route':
        return isOfLink(event.route) ? undefined : newsOfRoute(event.action, event.route);
      case 'link':
        return this.#linkNews(event);
      case 'address':
        return this.#pods.has(event.address.interfaceIndex) ? undefined : { kind: 'unknown' };
      case 'nexthop': {
        const isOurs = this.#kernel.objectChanged(event.action, event.nextHop);
        return isOurs ? { kind: 'unknown' } : undefined;
      }
      case 'overrun':
        return { kind: 'unknown' };
      case 'neighbour':
      case 'fdb':
      case 'rule':
        return undefined;
      default:
        return event satisfies never;
    }
  }

  /** The kernel drops routes of an interface that goes down without a message for each. */
  #linkNews({
    action,
    link: { index, name, up },
  }: Extract<MonitorEvent, { readonly kind: 'link' }>): KernelNews | undefined {
    // None of ours are there. A number may be used again.
    if (!name.startsWith(POD_INTERFACE)) {
      this.#pods.delete(index);
      return { kind: 'unknown' };
    }
    if (action === 'new') this.#pods.add(index);
    else this.#pods.delete(index);
    return action === 'new' && up ? undefined : { kind: 'pod-link-down', interfaceIndex: index };
  }
}

/** Every interface has such a route; who is there is known by the interface alone. */
function isOfLink({ destination }: Route): boolean {
  return isLinkLocal(destination);
}
