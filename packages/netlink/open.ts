import { RequestBatch } from './batch.ts';
import { systemLibc } from './koffi_libc.ts';
import { type MonitorOptions, NetlinkMonitor } from './monitor.ts';
import { withNetns } from './netns.ts';
import { NowhereLibc } from './nowhere_libc.ts';
import { NetlinkRouteDump } from './route_dump.ts';
import { RtNetlink } from './rtnetlink.ts';
import type { Batch, Monitor, MonitorGroup, Netlink, RouteDump, RouteFilter } from './types.ts';

/** rtnetlink of the namespace this process is in. Throws NetlinkError. */
export function openNetlink(): Netlink {
  return new RtNetlink(systemLibc());
}

/** Begins to read routes of this process's namespace, or of the one at `netns`. Throws NetlinkError. */
export function openRouteDump(filter: RouteFilter, netns?: string): RouteDump {
  const open = (): RouteDump => new NetlinkRouteDump(systemLibc(), filter);
  return netns === undefined ? open() : withNetns(netns, open);
}

/**
 * Requests for this process's namespace, or the one at `netns`, that a thread of the pool carries out.
 * Throws NetlinkError.
 */
export function openBatch(netns?: string): Batch {
  return netns === undefined ? newBatch() : withNetns(netns, newBatch);
}

/** What a kernel that agrees to every request and does nothing would be written to by. */
export function openNowhere(): { readonly netlink: Netlink; readonly batch: Batch } {
  const libc = new NowhereLibc();
  return { netlink: new RtNetlink(libc), batch: new RequestBatch(libc) };
}

function newBatch(): Batch {
  return new RequestBatch(systemLibc());
}

/** rtnetlink of the namespace at `path`, usable from here. Throws NetlinkError. */
export function openNetlinkIn(path: string): Netlink {
  return withNetns(path, openNetlink);
}

/** Index of the named interface in the current namespace; undefined when there is none. */
export function interfaceIndex(name: string): number | undefined {
  const index = systemLibc().interfaceIndex(name);
  return index === 0 ? undefined : index;
}

/**
 * Events of a namespace from now on: of the current one, or of the one at `netns`. A slow consumer or a small
 * `receiveBufferBytes` (8 MiB unless given) shows as an 'overrun' event. Keeps the process alive until closed.
 * Throws NetlinkError.
 */
export function openMonitor(
  groups: readonly MonitorGroup[],
  options: MonitorOptions & { readonly netns?: string } = {},
): Monitor {
  const open = (): Monitor => new NetlinkMonitor(systemLibc(), groups, options);
  return options.netns === undefined ? open() : withNetns(options.netns, open);
}
