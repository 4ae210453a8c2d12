// Rules of policies and profiles.
import { parsePrefix } from '@calico/ip';
import * as z from 'zod';
import type { Report, SchemaStyle } from '../schema_style.ts';
import { integer, net, selector } from './scalars.ts';

/** IANA protocol numbers of the names that rules may use. */
const PROTOCOL_NUMBERS = {
  ICMP: 1,
  TCP: 6,
  UDP: 17,
  ICMPv6: 58,
  SCTP: 132,
  UDPLite: 136,
} as const;

export type ProtocolName = keyof typeof PROTOCOL_NUMBERS;

const NAMES = Object.keys(PROTOCOL_NUMBERS) as ProtocolName[];

/** Number of a protocol as rules hold it: a name or 1 to 255. */
export function protocolNumber(protocol: ProtocolName | number): number {
  return typeof protocol === 'number' ? protocol : PROTOCOL_NUMBERS[protocol];
}

/** What a rule's port means: a range of numbers or the name that endpoints give to a port. */
export type PortMatch =
  | { readonly kind: 'range'; readonly first: number; readonly last: number }
  | { readonly kind: 'named'; readonly name: string };

/** Reads 80, "80", "8000:8100" or "http"; undefined for anything else. */
export function parsePort(port: number | string): PortMatch | undefined {
  const range = /^([0-9]{1,5})(?::([0-9]{1,5}))?$/.exec(String(port));
  if (range !== null) {
    const first = Number(range[1]);
    const last = Number(range[2] ?? range[1]);
    return first <= last && last <= 65_535 ? { kind: 'range', first, last } : undefined;
  }
  const isName = typeof port === 'string' && /^[a-zA-Z0-9_.-]{1,128}$/.test(port);
  return isName && /[a-zA-Z]/.test(port) ? { kind: 'named', name: port } : undefined;
}

/** Names are accepted in any case and numbers as text; both come out in their usual form. */
export const protocol = z.union([z.string(), z.number()]).transform((input, context) => {
  const name = NAMES.find((each) => each.toLowerCase() === String(input).toLowerCase());
  if (name !== undefined) return name;
  const number = /^[0-9]{1,3}$/.test(String(input)) ? Number(input) : 0;
  if (number >= 1 && number <= 255) return number;
  const message = `expected ${NAMES.join(', ')} or a number from 1 to 255`;
  context.addIssue({ code: 'custom', input, message });
  return z.NEVER;
});

const portMatch = z.union([z.string(), z.number()]).superRefine((input, context) => {
  if (parsePort(input) !== undefined) return;
  const message = 'expected a port (0 to 65535), a range as in "8000:8100" or a port name';
  context.addIssue({ code: 'custom', input, message });
});

function icmp(style: SchemaStyle) {
  const schema = style.object({
    type: integer(0, 254).optional(),
    code: integer(0, 255).optional(),
  });
  return style.cross(schema, [['type', 'code'], checkIcmpCode]);
}

function checkIcmpCode(
  icmpMatch: { type?: number | undefined; code?: number | undefined },
  report: Report,
) {
  const { type, code } = icmpMatch;
  if (code !== undefined && type === undefined) report(['code'], code, 'expected a type with it');
}

function entityFields(style: SchemaStyle) {
  return style.object({
    nets: z.array(net).max(256).optional(),
    notNets: z.array(net).max(256).optional(),
    selector: selector.optional(),
    notSelector: selector.optional(),
    namespaceSelector: selector.optional(),
    ports: z.array(portMatch).max(50).optional(),
    notPorts: z.array(portMatch).max(50).optional(),
    serviceAccounts: style
      .object({ names: z.array(z.string()).optional(), selector: selector.optional() })
      .optional(),
    services: style
      .object({ name: z.string().min(1), namespace: z.string().optional() })
      .optional(),
  });
}

type Entity = z.output<ReturnType<typeof entityFields>>;

function entityRule(style: SchemaStyle) {
  return style.cross(
    entityFields(style),
    [['notNets'], checkNotNets],
    [['services'], checkServices],
  );
}

function ruleFields(style: SchemaStyle) {
  const path = style.object({ exact: z.string().optional(), prefix: z.string().optional() });
  return style.object({
    action: z.enum(['Allow', 'Deny', 'Log', 'Pass']),
    ipVersion: z.union([z.literal(4), z.literal(6)]).optional(),
    protocol: protocol.optional(),
    notProtocol: protocol.optional(),
    icmp: icmp(style).optional(),
    notICMP: icmp(style).optional(),
    source: entityRule(style).optional(),
    destination: entityRule(style).optional(),
    http: style
      .object({ methods: z.array(z.string()).optional(), paths: z.array(path).optional() })
      .optional(),
    metadata: style.object({ annotations: z.record(z.string(), z.string()).optional() }).optional(),
  });
}

type Rule = z.output<ReturnType<typeof ruleFields>>;

export function policyRule(style: SchemaStyle) {
  return style.cross(
    ruleFields(style),
    [['protocol', 'source', 'destination'], checkPorts],
    [
      ['action', 'protocol', 'ipVersion', 'icmp', 'notICMP', 'source', 'destination', 'http'],
      checkCombination,
    ],
  );
}

const CATCH_ALL = 0;

function checkNotNets({ notNets }: Entity, report: Report): void {
  for (const [index, text] of (notNets ?? []).entries()) {
    if (parsePrefix(text, { hostBits: 'clear' }).length !== CATCH_ALL) continue;
    report(['notNets', index], text, 'excludes every address');
  }
}

const OTHER_MATCHES = [
  'nets',
  'notNets',
  'selector',
  'notSelector',
  'namespaceSelector',
  'serviceAccounts',
  'ports',
  'notPorts',
] as const;

function checkServices(entity: Entity, report: Report): void {
  if (entity.services === undefined) return;
  for (const field of OTHER_MATCHES) {
    if (entity[field] === undefined) continue;
    report([field], undefined, 'expected none together with services');
  }
}

const WITH_PORTS = new Set<string | number>(['TCP', 'UDP', 'SCTP', 6, 17, 132]);

function checkPorts(rule: Rule, report: Report): void {
  if (rule.protocol !== undefined && WITH_PORTS.has(rule.protocol)) return;
  for (const side of ['source', 'destination'] as const) {
    for (const field of ['ports', 'notPorts'] as const) {
      const ports = rule[side]?.[field] ?? [];
      for (const [index, port] of ports.entries()) {
        if (parsePort(port)?.kind !== 'range') continue;
        report([side, field, index], port, 'expected protocol TCP, UDP or SCTP with a port number');
      }
    }
  }
}

function checkCombination(rule: Rule, report: Report): void {
  const families = new Set<number>(rule.ipVersion === undefined ? [] : [rule.ipVersion]);
  for (const side of ['source', 'destination'] as const) {
    for (const field of ['nets', 'notNets'] as const) {
      for (const text of rule[side]?.[field] ?? []) families.add(text.includes(':') ? 6 : 4);
    }
  }
  if (families.size > 1) {
    report([], undefined, 'mixes IPv4 and IPv6: expected one family in a rule');
  }
  checkIcmp(rule, families, report);
  if (rule.http !== undefined && (rule.action !== 'Allow' || rule.protocol !== 'TCP')) {
    report(['http'], undefined, 'expected only with action "Allow" and protocol "TCP"');
  }
}

function checkIcmp(rule: Rule, families: ReadonlySet<number>, report: Report): void {
  for (const field of ['icmp', 'notICMP'] as const) {
    if (rule[field] === undefined) continue;
    if (rule.protocol !== 'ICMP' && rule.protocol !== 'ICMPv6') {
      report([field], rule[field], 'expected only with protocol "ICMP" or "ICMPv6"');
    }
  }
  const family = rule.protocol === 'ICMP' ? 4 : rule.protocol === 'ICMPv6' ? 6 : undefined;
  if (family !== undefined && families.size === 1 && !families.has(family)) {
    report(['protocol'], rule.protocol, `expected only in an IPv${family} rule`);
  }
}
