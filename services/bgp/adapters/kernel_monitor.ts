// Watches the kernel for what others do to our routes and to the ways to next hops.
import { type Monitor, type MonitorEvent, openMonitor } from '@calico/netlink';
import type { KernelNews, Log } from '../ports.ts';
import { newsOfRoute } from './kernel_routes.ts';

export function watchKernel(onNews: (news: KernelNews) => void, log: Log): Monitor {
  const monitor = openMonitor(['link', 'ipv4-address', 'ipv6-address', 'ipv4-route', 'ipv6-route']);
  void (async () => {
    try {
      for await (const event of monitor) {
        const news = newsOf(event);
        if (news !== undefined) onNews(news);
      }
    } catch (error) {
      log.warn('the kernel monitor failed: changes by others are seen every 30 s only', { error });
    }
  })();
  return monitor;
}

function newsOf(event: MonitorEvent): KernelNews | undefined {
  switch (event.kind) {
    case 'route':
      return newsOfRoute(event.action, event.route);
    case 'link':
      // The kernel drops routes of an interface that goes down without a message for each. Pods'
      // interfaces carry none of ours.
      return event.link.name.startsWith('cali') ? undefined : { kind: 'unknown' };
    case 'address':
      return { kind: 'unknown' };
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
