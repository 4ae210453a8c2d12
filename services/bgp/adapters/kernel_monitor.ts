// Watches the kernel for what others do to our routes and to the ways to next hops.
import type { Clock } from '@calico/clock';
import { openMonitor } from '@calico/netlink';
import type { KernelNews, Log } from '../ports.ts';
import { KernelEvents } from './kernel_events.ts';
import type { KernelRoutes } from './kernel_routes.ts';

const REOPEN_MS = 1_000;

type WatchedKernel = Pick<KernelRoutes, 'portId' | 'objectChanged'>;

/** Runs until the signal aborts; a monitor that fails is opened again, and everything looked at. */
export async function watchKernel(
  onNews: (news: KernelNews) => void,
  parts: {
    readonly clock: Clock;
    readonly log: Log;
    readonly signal: AbortSignal;
    /** What this service writes itself is not heard of. */
    readonly kernel: WatchedKernel;
  },
): Promise<void> {
  const { clock, log, signal, kernel } = parts;
  while (!signal.aborted) {
    try {
      await followKernel(onNews, signal, kernel);
    } catch (error) {
      log.warn('the kernel monitor failed, opening it again', { error });
      await clock.sleep(REOPEN_MS, signal).catch(() => {});
      // Whatever happened in between was not seen.
      onNews({ kind: 'unknown' });
    }
  }
}

async function followKernel(
  onNews: (news: KernelNews) => void,
  signal: AbortSignal,
  kernel: WatchedKernel,
): Promise<void> {
  const monitor = openMonitor(
    ['link', 'ipv4-address', 'ipv6-address', 'ipv4-route', 'ipv6-route', 'nexthop'],
    { exceptPort: kernel.portId },
  );
  const events = new KernelEvents(kernel);
  const close = (): void => monitor.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    for await (const event of monitor) {
      const news = events.newsOf(event);
      if (news !== undefined) onNews(news);
    }
  } finally {
    signal.removeEventListener('abort', close);
    monitor.close();
  }
}
