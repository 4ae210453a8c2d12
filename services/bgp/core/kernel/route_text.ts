// Routes, and why they are not in the kernel, as people read them.
import { formatAddress, formatPrefix } from '@calico/ip';
import type { RouteFailure } from '../../ports.ts';
import type { ChangeKind } from './changes.ts';
import type { KernelRoute } from './types.ts';

export function describeRoute({ prefix, type, hops, metric }: KernelRoute): string {
  const rest = metric === undefined ? '' : ` metric ${metric}`;
  if (type === 'blackhole') return `blackhole ${formatPrefix(prefix)}${rest}`;
  const vias = hops.map(({ gateway }) => (gateway ? ` via ${formatAddress(gateway)}` : ''));
  return `${formatPrefix(prefix)}${vias.join(',')}${rest}`;
}

export function describeFailure(
  { code, message }: RouteFailure,
  kind: ChangeKind,
  route: KernelRoute,
): string {
  if (code === 'EEXIST') return describeTaken(kind, route);
  const text = `Cannot ${kind} route "${describeRoute(route)}"`;
  return `${text}: ${code}${message === '' ? '' : `, ${message}`}`;
}

/** Why a route is not there, or not any more. */
export function describeTaken(kind: ChangeKind, route: KernelRoute): string {
  return `Cannot ${kind} route "${describeRoute(route)}": another owner has a route to that prefix`;
}
