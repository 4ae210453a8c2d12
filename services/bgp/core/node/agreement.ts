// What a session has agreed on, for people.
import type { Family } from '@calico/ip';
import type { Negotiated } from '../session/types.ts';
import type { PeerConfig } from '../speaker/config.ts';

/** "hold 90s", "IPv4", "add-path IPv4 receive" …: one text for each thing that is not always so. */
export function agreementTexts({ session, socket }: PeerConfig, negotiated: Negotiated): string[] {
  const { holdTimeSeconds, families, context, sendContext, gracefulRestart } = negotiated;
  const { minimumTtl } = socket;
  const texts = [
    holdTimeSeconds === 0 ? 'no hold timer' : `hold ${holdTimeSeconds}s`,
    session.sendHoldSeconds === undefined ? '' : `send hold ${negotiated.sendHoldSeconds}s`,
    ...families.map(familyText),
    typeof session.remoteAsn === 'number' ? '' : `AS ${negotiated.remoteOpen.asn} by its OPEN`,
    negotiated.usesDualAsn ? `we are AS ${session.dualAsn}` : '',
    context.fourOctetAs ? '' : 'two-octet AS numbers',
    context.extendedMessages ? 'extended messages' : '',
    negotiated.canRefreshEnhanced ? 'enhanced route refresh' : '',
    negotiated.canRefresh && !negotiated.canRefreshEnhanced ? 'route refresh' : '',
    negotiated.extendedNextHop ? 'IPv6 next hops for IPv4' : '',
    ...families.map((family) =>
      addPathText(family, context.addPath.includes(family), sendContext.addPath.includes(family)),
    ),
    gracefulRestart === undefined ? '' : `graceful restart ${gracefulRestart.restartTimeSeconds}s`,
    gracefulRestart?.keepsOnNotification ? 'notifications keep routes' : '',
    ...Array.from(
      gracefulRestart?.longLived ?? [],
      ([family, seconds]) => `${familyText(family)} stale up to ${seconds}s`,
    ),
    session.role === undefined ? '' : `we are ${session.role}`,
    socket.password === undefined ? '' : 'TCP MD5',
    minimumTtl === undefined ? '' : `TTL at least ${minimumTtl}`,
  ];
  return texts.filter((text) => text !== '');
}

function familyText(family: Family): string {
  return `IPv${family}`;
}

function addPathText(family: Family, receives: boolean, sends: boolean): string {
  const ways = [receives ? 'receive' : '', sends ? 'send' : ''].filter((way) => way !== '');
  return ways.length === 0 ? '' : `add-path ${familyText(family)} ${ways.join(' and ')}`;
}
