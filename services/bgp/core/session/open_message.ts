// The OPEN that this speaker sends.
import { Afi, afiOf, type Capability, type Open, Safi } from '@calico/bgp-wire';
import type { SessionConfig } from './types.ts';

export function makeOpen(config: SessionConfig): Open {
  const { localAsn, routerId, holdTimeSeconds, families, gracefulRestart } = config;
  const { addPathReceive: receive, addPathSend: send } = config;
  const unicast = families.map((family) => ({ afi: afiOf(family), safi: Safi.Unicast }));
  const capabilities: Capability[] = [
    ...unicast.map((family): Capability => ({ kind: 'multiprotocol', ...family })),
    { kind: 'route-refresh' },
    { kind: 'extended-message' },
    { kind: 'four-octet-as', asn: localAsn },
    { kind: 'enhanced-route-refresh' },
  ];
  if (config.role !== undefined) capabilities.push({ kind: 'role', role: config.role });
  if (config.extendedNextHop) {
    const family = { afi: Afi.Ipv4, safi: Safi.Unicast, nextHopAfi: Afi.Ipv6 };
    capabilities.push({ kind: 'extended-next-hop', families: [family] });
  }
  if (receive || send) {
    const addPath = unicast.map((family) => ({ ...family, receive, send }));
    capabilities.push({ kind: 'add-path', families: addPath });
  }
  if (gracefulRestart !== undefined) {
    const { isRestarting, isForwardingPreserved, restartTimeSeconds } = gracefulRestart;
    const { keepsOnNotification, longLivedSeconds } = gracefulRestart;
    const forwarding = unicast.map((family) => ({ ...family, forwarding: isForwardingPreserved }));
    capabilities.push({
      kind: 'graceful-restart',
      restarting: isRestarting,
      notification: keepsOnNotification,
      restartTimeSeconds,
      families: forwarding,
    });
    if (longLivedSeconds > 0) {
      capabilities.push({
        kind: 'long-lived-graceful-restart',
        families: forwarding.map((family) => ({ ...family, staleSeconds: longLivedSeconds })),
      });
    }
  }
  return { kind: 'open', asn: localAsn, holdTimeSeconds, routerId, capabilities };
}
