// The chains that the kernel calls, the same on every node: who is judged by which program, what pods may send
// at all, and what is translated on its way out. Everything is about packets from or to pods (interfaces with our
// prefix) and tunnels of ours; all other traffic of the host passes untouched.
import { FAMILIES, type Family, formatAddress } from '@calico/ip';
import { VXLAN_DEVICES } from '@calico/model';
import type { FilterSettings } from '../meaning/settings.ts';
import { ending } from './chains.ts';
import { dispatchRule, FROM_POD, TO_POD } from './dispatch.ts';
import { PORT_PROTOCOLS } from './port_compiler.ts';
import {
  type BaseChain,
  type Chain,
  COUNTER,
  type Match,
  match,
  mismatch,
  type Rule,
  type Statement,
  verdict,
} from './ruleset.ts';

/** Names of the sets that these chains refer to. */
export const podSources = (family: Family): string => `pods/source${family}`;
export const podSpoofed = (family: Family): string => `pods/spoofed${family}`;
export const nodeAddresses = (family: Family): string => `nodes/${family}`;
export const allPools = (family: Family): string => `pools/all${family}`;
export const natPools = (family: Family): string => `pools/nat-outgoing${family}`;

const IPIP = 4;
const ICMP_V6 = 58;

/** Multicast listeners, router and neighbour solicitation, neighbour advertisement. */
const NEIGHBOUR_DISCOVERY = ['130-133', '135-136'] as const;

export function baseChains(settings: FilterSettings): ReadonlyMap<string, Chain> {
  return new Map([
    ['prerouting-raw', hook('prerouting', -300, [fromPods(settings, 'goto pods/anti-spoofing')])],
    [
      'pods/anti-spoofing',
      chain('a pod sends from its own addresses only', antiSpoofing(settings)),
    ],
    [
      'forward-from-pods',
      hook('forward', 0, [...established(settings), fromPods(settings, 'goto pods/from')]),
    ],
    ['forward-to-pods', hook('forward', 1, [...established(settings), toPods(settings)])],
    ['input-from-pods', hook('input', 0, inputFromPods(settings))],
    ['input-to-host', hook('input', 1, inputToHost(settings))],
    ['pods/from', chain('egress policy of the pod', fromPod(settings))],
    ['pods/to', chain('ingress policy of the pod', toPod(settings))],
    ...natChain(settings),
  ]);
}

function antiSpoofing({ canSpoof }: FilterSettings): Rule[] {
  const own = FAMILIES.map((family) => sourceRule(family, podSources(family), 'own address'));
  const allowed = FAMILIES.map((family) =>
    sourceRule(family, podSpoofed(family), 'allowed source'),
  );
  // Before it has an address of its own, and on the link, a pod speaks ICMPv6 only.
  const onLink = ['fe80::/10', '::'].map((source) =>
    rule(
      `IPv6 on the link from ${source}`,
      match('ip6 saddr', source),
      match('meta l4proto', ICMP_V6),
      verdict('accept'),
    ),
  );
  return [...own, ...(canSpoof ? allowed : []), ...onLink, ending('not an address of this pod')];
}

function sourceRule(family: Family, set: string, comment: string): Rule {
  const known: Match = {
    kind: 'match',
    fields: ['iifname', family === 4 ? 'ip saddr' : 'ip6 saddr'],
    operator: '==',
    value: `@${set}`,
  };
  return rule(comment, known, verdict('accept'));
}

function inputFromPods(settings: FilterSettings): Rule[] {
  return [
    ...neighbourDiscovery(settings),
    ...established(settings),
    fromPods(settings, 'goto pods/from'),
  ];
}

// A connection that is cut is known by its mark, not by its absence: otherwise the next packet of either side
// would begin it anew, and be judged as if that side had called.
export function established({ cutBit }: FilterSettings): Rule[] {
  const isEstablished = match('ct state', 'established,related');
  if (cutBit === undefined) return [rule('established', isEstablished, verdict('accept'))];
  const cut = (set: boolean): Statement => ({ kind: 'match-connection-mark', bits: cutBit, set });
  return [
    rule('established', isEstablished, cut(false), verdict('accept')),
    rule('cut: no longer permitted', cut(true), COUNTER, verdict('drop')),
  ];
}

function neighbourDiscovery({ podInterfaces }: FilterSettings): Rule[] {
  return NEIGHBOUR_DISCOVERY.map((type) =>
    rule(
      'neighbour discovery',
      match('iifname', podInterfaces),
      match('icmpv6 type', type),
      verdict('accept'),
    ),
  );
}

// Tunnels come first: a node that has left the cluster must not go on by an established entry.
function inputToHost(settings: FilterSettings): Rule[] {
  const { podInterfaces, podToHost } = settings;
  const rest: Rule[] = [...neighbourDiscovery(settings), ...established(settings)];
  if (podToHost !== 'Return') {
    const action = podToHost === 'Accept' ? 'accept' : 'drop';
    rest.push(
      rule(
        `defaultEndpointToHostAction ${podToHost}`,
        match('iifname', podInterfaces),
        COUNTER,
        verdict(action),
      ),
    );
  }
  return [...tunnelRules(settings), ...rest];
}

function tunnelRules({ vxlanFamilies, hasIpip, vxlanPort }: FilterSettings): Rule[] {
  const toHost = match('fib daddr type', 'local');
  const rules: Rule[] = [];
  const guard = (name: string, protocol: Match, families: readonly Family[]): void => {
    if (families.length === 0) return;
    for (const family of families) {
      const nodes = match(family === 4 ? 'ip saddr' : 'ip6 saddr', `@${nodeAddresses(family)}`);
      rules.push(rule(`${name} from a node`, nodes, protocol, toHost, verdict('accept')));
    }
    rules.push(rule(`${name} from elsewhere`, protocol, toHost, COUNTER, verdict('drop')));
  };
  guard('VXLAN', match('udp dport', vxlanPort), vxlanFamilies);
  guard('IPIP', match('meta l4proto', IPIP), hasIpip ? [4] : []);
  return rules;
}

/** Tunnel packets that this host sends to nodes. */
export function tunnelPeers({ vxlanFamilies, hasIpip, vxlanPort }: FilterSettings): Rule[] {
  const vxlan = match('udp dport', vxlanPort);
  return [
    ...vxlanFamilies.map((family) =>
      rule('VXLAN to a node', toNodes(family), vxlan, verdict('accept')),
    ),
    ...(hasIpip
      ? [rule('IPIP to a node', toNodes(4), match('meta l4proto', IPIP), verdict('accept'))]
      : []),
  ];
}

function toNodes(family: Family): Match {
  return match(family === 4 ? 'ip daddr' : 'ip6 daddr', `@${nodeAddresses(family)}`);
}

function fromPod(settings: FilterSettings): Rule[] {
  const { allowsVxlanFromPods, allowsIpipFromPods, vxlanPort } = settings;
  const rules = invalid(settings);
  if (!allowsVxlanFromPods) {
    rules.push(rule('VXLAN from a pod', match('udp dport', vxlanPort), COUNTER, verdict('drop')));
  }
  if (!allowsIpipFromPods) {
    rules.push(rule('IPIP from a pod', match('meta l4proto', IPIP), COUNTER, verdict('drop')));
  }
  return [
    ...rules,
    dispatchRule(FROM_POD),
    ending('closed: the policy of this interface is not known'),
  ];
}

function toPod(settings: FilterSettings): Rule[] {
  return [
    ...invalid(settings),
    dispatchRule(TO_POD),
    ending('closed: the policy of this interface is not known'),
  ];
}

function invalid({ dropsInvalid }: FilterSettings): Rule[] {
  return dropsInvalid
    ? [rule('invalid', match('ct state', 'invalid'), COUNTER, verdict('drop'))]
    : [];
}

// Absent when nothing is translated: the chain would cost a look at every connection.
function natChain(settings: FilterSettings): [string, Chain][] {
  const rules = [
    ...settings.natFamilies.flatMap((family) => natOutgoing(family, settings)),
    ...settings.vxlanFamilies.map((family) => tunnelSource(VXLAN_DEVICES[family])),
    ...(settings.hasIpip ? [tunnelSource('tunl0')] : []),
  ];
  if (rules.length === 0) return [];
  const base: BaseChain = { type: 'nat', hook: 'postrouting', priority: 100, policy: 'accept' };
  return [['postrouting-nat', { base, rules }]];
}

function natOutgoing(family: Family, settings: FilterSettings): Rule[] {
  const { natSparesNodes, natAddress, natPorts } = settings;
  const [source, destination] =
    family === 4 ? (['ip saddr', 'ip daddr'] as const) : (['ip6 saddr', 'ip6 daddr'] as const);
  const matches = [
    match(source, `@${natPools(family)}`),
    mismatch(destination, `@${allPools(family)}`),
    ...(natSparesNodes ? [mismatch(destination, `@${nodeAddresses(family)}`)] : []),
  ];
  const translate = (ports?: string): Statement =>
    natAddress?.family === family
      ? { kind: 'snat', address: formatAddress(natAddress), ...(ports ? { ports } : {}) }
      : { kind: 'masquerade', ...(ports ? { ports } : {}) };
  const comment = 'natOutgoing: leaves the pools';
  // A range of ports is for protocols that have them.
  const withPorts = natPorts === undefined ? [] : PORT_PROTOCOLS.keys();
  return [
    ...withPorts.map((protocol) =>
      rule(comment, ...matches, match('meta l4proto', protocol), translate(natPorts)),
    ),
    rule(comment, ...matches, translate()),
  ];
}

// The host itself sends into a tunnel with an address that is not the tunnel's: the answer would come another way.
function tunnelSource(device: string): Rule {
  return rule(
    `the host's own packets into ${device}`,
    match('oifname', device),
    mismatch('fib saddr . oif type', 'local'),
    match('fib saddr type', 'local'),
    { kind: 'masquerade' },
  );
}

function fromPods({ podInterfaces }: FilterSettings, target: `goto ${string}`): Rule {
  return rule('from pods', match('iifname', podInterfaces), verdict(target));
}

function toPods({ podInterfaces }: FilterSettings): Rule {
  return rule('to pods', match('oifname', podInterfaces), verdict('goto pods/to'));
}

export function hook(name: BaseChain['hook'], priority: number, rules: readonly Rule[]): Chain {
  return { base: { type: 'filter', hook: name, priority, policy: 'accept' }, rules };
}

function chain(comment: string, rules: readonly Rule[]): Chain {
  return { comment, rules };
}

export function rule(comment: string, ...statements: readonly Statement[]): Rule {
  return { statements, comment };
}
