// Ports that no policy of a host endpoint closes, so that nobody locks himself out, and what IPv6 needs on the link.
import { type Family, formatPrefix, type Prefix } from '@calico/ip';
import {
  type Chain,
  type Match,
  match,
  type PortProtocol,
  type Rule,
  verdict,
} from '../compiler/ruleset.ts';
import { prefixText } from '../compiler/set_builder.ts';
import { prefixesOf } from '../meaning/members.ts';
import type { FailsafePorts } from '../meaning/settings.ts';

export const FAILSAFE = {
  ingress: 'host/failsafe-in',
  egress: 'host/failsafe-out',
  /** Before connections are tracked: answers are not known as such there. */
  untrackedIngress: 'host/failsafe-raw-in',
  untrackedEgress: 'host/failsafe-raw-out',
} as const;

type HostPort = FailsafePorts['inbound'][number];
/** Which end of the packet has the port, and which one is the peer's. */
type End = { readonly port: 'sport' | 'dport'; readonly peer: 'saddr' | 'daddr' };

const PROTOCOLS: Readonly<Record<string, PortProtocol>> = { tcp: 'tcp', udp: 'udp', sctp: 'sctp' };
/** Multicast listeners, routers and neighbours. */
const NEIGHBOUR_DISCOVERY = '130-136';

export function failsafeChains({ inbound, outbound }: FailsafePorts): Map<string, Chain> {
  const toUs: End = { port: 'dport', peer: 'saddr' };
  const fromUs: End = { port: 'dport', peer: 'daddr' };
  const answersToUs: End = { port: 'sport', peer: 'saddr' };
  const answersFromUs: End = { port: 'sport', peer: 'daddr' };
  const [into, out] = [rulesOf(inbound, toUs), rulesOf(outbound, fromUs)];
  return new Map([
    [FAILSAFE.ingress, chain('in', into)],
    [FAILSAFE.egress, chain('out', out)],
    [FAILSAFE.untrackedIngress, chain('in', [...into, ...rulesOf(outbound, answersToUs)])],
    [FAILSAFE.untrackedEgress, chain('out', [...out, ...rulesOf(inbound, answersFromUs)])],
  ]);
}

function chain(direction: string, rules: readonly Rule[]): Chain {
  const discovery: Rule = {
    statements: [match('icmpv6 type', NEIGHBOUR_DISCOVERY), verdict('accept')],
    comment: 'neighbour discovery',
  };
  return { comment: `failsafe ports ${direction}`, rules: [discovery, ...rules] };
}

function rulesOf(ports: readonly HostPort[], end: End): Rule[] {
  return ports.flatMap((port) => {
    const protocol = PROTOCOLS[port.protocol.toLowerCase()];
    if (protocol === undefined) return [];
    const [net] = port.net === undefined ? [] : prefixesOf([port.net]);
    const where = net === undefined ? '' : ` ${formatPrefix(net)}`;
    return {
      statements: [
        ...(net === undefined ? [] : [peerMatch(net, end.peer)]),
        match(`${protocol} ${end.port}`, port.port),
        verdict('accept'),
      ],
      comment: `failsafe ${protocol} ${port.port}${where}`,
    };
  });
}

function peerMatch(net: Prefix, peer: End['peer']): Match {
  const header: Record<Family, 'ip' | 'ip6'> = { 4: 'ip', 6: 'ip6' };
  return match(`${header[net.family]} ${peer}`, prefixText(net));
}
