// What to do so that the kernel's routes become those that are wanted. Never flushes: after a restart
// a route that is there stays until it is known that nobody wants it.
import { type Address, isLinkLocal } from '@calico/ip';
import type { RouteStates } from './route_states.ts';
import type { KernelHop, KernelTarget } from './types.ts';

/**
 * `add` fails when another owner has a route to the prefix: it is not overwritten. `replace` is for
 * routes that were seen to be ours.
 */
export type ChangeKind = 'add' | 'replace' | 'delete';

/** What may be taken away from the kernel at this time. */
export type Removal = {
  /** Whether own blocks are known completely. */
  readonly blackholes: boolean;
  /** Whether everything that goes through this gateway on this interface is known. */
  readonly via: (gateway: Address, interfaceIndex: number) => boolean;
};

export const REMOVE_ANYTHING: Removal = { blackholes: true, via: () => true };

/** Undefined: nothing is to be done about the prefix, or not yet. */
export function changeOf(
  states: RouteStates,
  id: number,
  removal: Removal,
): ChangeKind | undefined {
  if (states.isRight(id)) return undefined;
  const found = states.actualOf(id);
  const target = states.wantedOf(id);
  if (found === undefined) return target === undefined ? undefined : 'add';
  if (!mayLose(found, target, removal)) return undefined;
  return target === undefined ? 'delete' : 'replace';
}

/** Whether the route may be replaced, or removed when there is no next one. */
export function mayLose(
  { type, hops }: KernelTarget,
  next: KernelTarget | undefined,
  removal: Removal,
): boolean {
  if (type === 'blackhole') return next !== undefined || removal.blackholes;
  return hops.every((hop) => {
    const { gateway, interfaceIndex } = hop;
    const stays = next?.hops.some((other) => isSameGateway(other, hop));
    return stays === true || gateway === undefined || removal.via(gateway, interfaceIndex);
  });
}

/** A link-local address is another router's on each link. */
function isSameGateway(a: KernelHop, b: KernelHop): boolean {
  if (a.gateway?.value !== b.gateway?.value) return false;
  const isOnLink = a.gateway !== undefined && isLinkLocal(a.gateway);
  return !isOnLink || a.interfaceIndex === b.interfaceIndex;
}
