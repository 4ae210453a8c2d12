// Which fields of a rule keep it from matching a packet. No mismatch: the rule matches. This is the third reading of
// a rule, beside the compiler's and the reference evaluator's; a test holds them together.
import { type Address, formatAddress, formatPrefix, type Prefix, prefixContains } from '@calico/ip';
import type { PortMatch } from '@calico/model';
import type { Selector } from '@calico/selector';
import type { Packet } from '../evaluator/packet.ts';
import type { Member, NamedPort } from '../meaning/members.ts';
import type { IcmpTerms, RuleTerms, SideTerms } from '../meaning/rule_terms.ts';
import { serviceSelector, serviceText } from '../meaning/services.ts';
import type { Mismatch } from './explanation.ts';
import type { Owner } from './owners.ts';
import { labelsIn, remedies } from './remedy.ts';

const [ICMP, ICMP_V6] = [1, 58];
const WITH_PORTS = [6, 17, 132];
const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  1: 'ICMP',
  6: 'TCP',
  17: 'UDP',
  58: 'ICMPv6',
  132: 'SCTP',
  136: 'UDPLite',
};

/** The owners of the packet's two addresses. */
export type Ends = {
  readonly source: readonly Owner[];
  readonly destination: readonly Owner[];
  /** Slices of services, see sliceMember(). */
  readonly slices: readonly Member[];
};

export function mismatches(rule: RuleTerms, packet: Packet, ends: Ends): Mismatch[] {
  return [
    ...neverMet(rule),
    ...ipVersion(rule, packet),
    ...protocols(rule, packet),
    ...icmp(rule, packet),
    ...side('source', rule.source, packet, ends.source),
    ...service('source', rule.source, packet, ends.slices),
    ...side('destination', rule.destination, packet, ends.destination),
    ...service('destination', rule.destination, packet, ends.slices),
  ];
}

export function protocolName(number: number): string {
  return PROTOCOL_NAMES[number] ?? String(number);
}

function mismatch(field: string, wanted: string, found: string, remedy: string): Mismatch {
  return { field, wanted, found, remedy };
}

function neverMet({ isNeverMet }: RuleTerms): Mismatch[] {
  if (!isNeverMet) return [];
  return [mismatch('http', 'what no packet filter sees', 'a packet', 'it did not name http')];
}

function ipVersion({ ipVersion: wanted }: RuleTerms, { source }: Packet): Mismatch[] {
  if (wanted === undefined || wanted === source.family) return [];
  const found = String(source.family);
  return [mismatch('ipVersion', String(wanted), found, `the packet were IPv${wanted}`)];
}

function protocols({ protocol, notProtocol }: RuleTerms, packet: Packet): Mismatch[] {
  const found = protocolName(packet.protocol);
  const list: Mismatch[] = [];
  if (protocol !== undefined && protocol !== packet.protocol) {
    const wanted = protocolName(protocol);
    list.push(mismatch('protocol', wanted, found, `the protocol were ${wanted}`));
  }
  if (notProtocol === packet.protocol) {
    list.push(mismatch('notProtocol', `not ${found}`, found, `the protocol were not ${found}`));
  }
  return list;
}

function icmp(
  { icmp: wanted, notIcmp: excluded, protocol }: RuleTerms,
  packet: Packet,
): Mismatch[] {
  const own = packet.source.family === 4 ? ICMP : ICMP_V6;
  if (wanted === undefined && excluded === undefined) return [];
  const field = wanted === undefined ? 'notICMP' : 'icmp';
  const text = wanted === undefined ? `not ${icmpText(excluded)}` : icmpText(wanted);
  if (packet.protocol !== own || protocol !== own) {
    const name = protocolName(own);
    const found = protocolName(packet.protocol);
    return [mismatch(field, `${name} ${text}`, found, `the protocol were ${name}`)];
  }
  const found = `type ${packet.icmpType} code ${packet.icmpCode}`;
  const list: Mismatch[] = [];
  if (wanted !== undefined && !isIcmp(wanted, packet)) {
    list.push(mismatch('icmp', icmpText(wanted), found, `it were ${icmpText(wanted)}`));
  }
  if (excluded !== undefined && isIcmp(excluded, packet)) {
    const without = `not ${icmpText(excluded)}`;
    list.push(mismatch('notICMP', without, found, `it were ${without}`));
  }
  return list;
}

function isIcmp({ type, code }: IcmpTerms, { icmpType, icmpCode }: Packet): boolean {
  return type === icmpType && (code ?? icmpCode) === icmpCode;
}

function icmpText(terms: IcmpTerms | undefined): string {
  if (terms === undefined) return '';
  return terms.code === undefined ? `type ${terms.type}` : `type ${terms.type} code ${terms.code}`;
}

function side(
  name: 'source' | 'destination',
  terms: SideTerms,
  packet: Packet,
  owners: readonly Owner[],
): Mismatch[] {
  const address = packet[name];
  const found = formatAddress(address);
  const list: Mismatch[] = [];
  const add = (field: string, wanted: string, what: string, remedy: string): void => {
    list.push(mismatch(`${name}.${field}`, wanted, what, remedy));
  };
  const { nets, notNets, selector, notSelector } = terms;
  if (nets.length > 0 && !covered(nets, address)) {
    add('nets', netsText(nets), found, `the ${name} address were in ${netsText(nets)}`);
  }
  if (notNets.length > 0 && notNets.every(({ family }) => family !== address.family)) {
    const family = notNets[0]?.family ?? 4;
    add('notNets', `IPv${family}`, found, `the packet were IPv${family}`);
  } else if (covered(notNets, address)) {
    const remedy = `the ${name} address were not in ${netsText(notNets)}`;
    add('notNets', `not ${netsText(notNets)}`, found, remedy);
  }
  const selecting = owners.filter(({ labels }) => selector?.matches(labels) ?? true);
  if (selector !== undefined && selecting.length === 0) {
    const remedy = selectorRemedy(selector, address, owners, true);
    add('selector', selector.canonical, ownersText(selector, address, owners), remedy);
  }
  if (notSelector !== undefined && owners.some(({ labels }) => notSelector.matches(labels))) {
    const remedy = selectorRemedy(notSelector, address, owners, false);
    add(
      'notSelector',
      `not ${notSelector.canonical}`,
      ownersText(notSelector, address, owners),
      remedy,
    );
  }
  return [
    ...list,
    ...portMismatches(name, terms, packet, selector === undefined ? owners : selecting),
  ];
}

/** As destination a service is also its ports. */
function service(
  name: 'source' | 'destination',
  { service: wanted }: SideTerms,
  packet: Packet,
  slices: readonly Member[],
): Mismatch[] {
  if (wanted === undefined) return [];
  const { protocol, destinationPort } = packet;
  const selector = serviceSelector(wanted);
  const isMeant = (one: NamedPort): boolean =>
    one.port === destinationPort && one.protocol === protocol;
  const isBehind = slices.some(
    ({ labels, prefixes, ports }) =>
      selector.matches(labels) &&
      covered(prefixes, packet[name]) &&
      (name === 'source' || ports.some(isMeant)),
  );
  if (isBehind) return [];
  const address = formatAddress(packet[name]);
  const port = WITH_PORTS.includes(protocol) ? ` port ${destinationPort}` : '';
  const found = name === 'source' ? address : `${address} ${protocolName(protocol)}${port}`;
  const text = serviceText(wanted);
  const remedy = `an EndpointSlice of service ${text} had ${found}`;
  return [mismatch(`${name}.services`, text, found, remedy)];
}

function portMismatches(
  name: 'source' | 'destination',
  { ports, notPorts }: SideTerms,
  packet: Packet,
  owners: readonly Owner[],
): Mismatch[] {
  const port = name === 'source' ? packet.sourcePort : packet.destinationPort;
  const hasPorts = WITH_PORTS.includes(packet.protocol);
  const found = hasPorts ? `port ${port}` : `${protocolName(packet.protocol)}, which has no ports`;
  const hit = (match: PortMatch): boolean => hasPorts && isPort(match, port, packet, owners);
  const list: Mismatch[] = [];
  if (ports.length > 0 && !ports.some(hit)) {
    const wanted = portsText(ports);
    list.push(mismatch(`${name}.ports`, wanted, found, `the ${name} port were ${wanted}`));
  }
  if (notPorts.some(hit)) {
    const wanted = `not ${portsText(notPorts)}`;
    list.push(mismatch(`${name}.notPorts`, wanted, found, `the ${name} port were ${wanted}`));
  }
  return list;
}

function isPort(
  match: PortMatch,
  port: number,
  { protocol }: Packet,
  owners: readonly Owner[],
): boolean {
  if (match.kind === 'range') return port >= match.first && port <= match.last;
  return owners.some(({ ports }) =>
    ports.some((one) => one.name === match.name && one.port === port && one.protocol === protocol),
  );
}

/** Of the owner that needs the fewest changes. */
function selectorRemedy(
  selector: Selector,
  address: Address,
  owners: readonly Owner[],
  wanted: boolean,
): string {
  const { expression } = selector;
  const each = owners.map(({ labels, name }) => remedies(expression, labels, name, wanted));
  if (!wanted) return [...new Set(each.flatMap((one) => one ?? []))].join(' and ');
  const [best] = each.filter((one) => one !== undefined).toSorted((a, b) => a.length - b.length);
  return (
    best?.join(' and ') ??
    `${formatAddress(address)} belonged to what ${selector.canonical} selects`
  );
}

/** With the labels that the selector looks at: "default/client with role=db without env". */
function ownersText(selector: Selector, address: Address, owners: readonly Owner[]): string {
  if (owners.length === 0) {
    return `${formatAddress(address)}, of no endpoint and no network set`;
  }
  const looked = [...labelsIn(selector.expression)];
  return owners
    .map(({ name, labels }) => {
      const own = looked.filter((label) => Object.hasOwn(labels, label));
      const missing = looked.filter((label) => !own.includes(label));
      return [
        name,
        ...(own.length > 0 ? ['with', own.map((label) => `${label}=${labels[label]}`).join()] : []),
        ...(missing.length > 0 ? ['without', missing.join()] : []),
      ].join(' ');
    })
    .join('; ');
}

function covered(nets: readonly Prefix[], address: Address): boolean {
  return nets.some((net) => net.family === address.family && prefixContains(net, address));
}

function netsText(nets: readonly Prefix[]): string {
  return nets.map(formatPrefix).join(' or ');
}

function portsText(ports: readonly PortMatch[]): string {
  return ports
    .map((port) => {
      if (port.kind === 'named') return `'${port.name}'`;
      return port.first === port.last ? String(port.first) : `${port.first}-${port.last}`;
    })
    .join(' or ');
}
