// The kernel of a rehearsal: the whole way to the kernel, but for the kernel at its end.
import { parseAddress, parsePrefix } from '@calico/ip';
import { openNowhere } from '@calico/netlink';
import type { KernelPort } from '../ports.ts';
import { KernelRoutes } from './kernel_routes.ts';

/** The kernel always knows a way there. */
const OURSELVES = parseAddress('127.0.0.1');

/** Others have routes too, and of the other family. */
const LINK_LOCAL = { prefix: parsePrefix('fe80::/64'), metric: 256, interfaceIndex: 1 };

/**
 * Takes every route, and keeps none.
 * @param kernel the real one, which is asked as it would be, and never written to
 */
export function rehearsalKernel(kernel: Pick<KernelPort, 'resolve'>): KernelPort {
  const { netlink, batch } = openNowhere();
  const nowhere = new KernelRoutes(netlink, { batch });
  return {
    list: (visitOther) => {
      visitOther(LINK_LOCAL);
      return [];
    },
    read: (_visit, _visitOther, done) => done(true),
    apply: (changes, done) => nowhere.apply(changes, done),
    removeWays: (prefixes, onGone) => nowhere.removeWays(prefixes, onGone),
    removeStrays: () => {},
    resolve: (address) => {
      kernel.resolve(OURSELVES);
      return nowhere.resolve(address);
    },
    isLocal: () => false,
    matchedLength: () => undefined,
    linkLocalAddress: () => undefined,
    interfaceIndex: () => undefined,
    interfaceName: () => undefined,
  };
}
