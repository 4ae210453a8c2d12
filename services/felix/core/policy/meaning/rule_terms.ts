// A rule's fields in the types of the domain: what a packet has to be like for the rule to match.
import { type Family, type Prefix, parsePrefix } from '@calico/ip';
import {
  type EntityRule,
  type PolicyRule,
  type PortMatch,
  parsePort,
  protocolNumber,
} from '@calico/model';
import type { Selector } from '@calico/selector';
import { selectorOf, sideSelector } from './selectors.ts';
import { type ServiceName, serviceOf } from './services.ts';

export type RuleTerms = {
  readonly action: PolicyRule['action'];
  /** From 1, as a person counts. */
  readonly number: number;
  readonly ipVersion: Family | undefined;
  readonly protocol: number | undefined;
  readonly notProtocol: number | undefined;
  readonly icmp: IcmpTerms | undefined;
  readonly notIcmp: IcmpTerms | undefined;
  readonly source: SideTerms;
  readonly destination: SideTerms;
  /** Matches nothing: the rule asks for what no packet filter sees (HTTP, which only an Allow rule may). */
  readonly isNeverMet: boolean;
};

export type IcmpTerms = { readonly type: number; readonly code: number | undefined };

export type SideTerms = {
  /** Empty: any. */
  readonly nets: readonly Prefix[];
  readonly notNets: readonly Prefix[];
  readonly selector: Selector | undefined;
  readonly notSelector: Selector | undefined;
  /** Empty: any. */
  readonly ports: readonly PortMatch[];
  readonly notPorts: readonly PortMatch[];
  /** As source: its addresses. As destination: its addresses, each with its ports. */
  readonly service: ServiceName | undefined;
};

/** What rules were and what they said. */
export type ReadRules = {
  readonly rules: readonly PolicyRule[];
  readonly terms: readonly RuleTerms[];
};

/**
 * `namespace` is that of the policy, '' for a global one. A policy of many rules changes in few of them: the terms of those that
 * read as in `before`, of the same policy, are the same objects. Throws SelectorError, IpError, RangeError.
 */
export function ruleTerms(
  rules: readonly PolicyRule[],
  namespace: string,
  before?: ReadRules,
): RuleTerms[] {
  return rules.map((rule, index) => {
    const known = before?.terms[index];
    const isSame = known !== undefined && readsAs(rule, before?.rules[index]);
    return isSame ? known : termsOf(rule, index + 1, namespace);
  });
}

function readsAs(rule: PolicyRule, other: PolicyRule | undefined): boolean {
  return rule === other || JSON.stringify(rule) === JSON.stringify(other);
}

function termsOf(rule: PolicyRule, number: number, namespace: string): RuleTerms {
  return {
    action: rule.action,
    number,
    ipVersion: rule.ipVersion,
    protocol: numberOf(rule.protocol),
    notProtocol: numberOf(rule.notProtocol),
    icmp: icmpTerms(rule.icmp),
    notIcmp: icmpTerms(rule.notICMP),
    source: sideTerms(rule.source ?? {}, namespace),
    destination: sideTerms(rule.destination ?? {}, namespace),
    isNeverMet: rule.http !== undefined,
  };
}

function numberOf(protocol: PolicyRule['protocol']): number | undefined {
  return protocol === undefined ? undefined : protocolNumber(protocol);
}

function icmpTerms(icmp: PolicyRule['icmp']): IcmpTerms | undefined {
  return icmp?.type === undefined ? undefined : { type: icmp.type, code: icmp.code };
}

function sideTerms(side: EntityRule, namespace: string): SideTerms {
  return {
    nets: (side.nets ?? []).map(netOf),
    notNets: (side.notNets ?? []).map(netOf),
    selector: sideSelector(side, namespace),
    notSelector: side.notSelector ? selectorOf(side.notSelector) : undefined,
    ports: (side.ports ?? []).map(portOf),
    notPorts: (side.notPorts ?? []).map(portOf),
    service: serviceOf(side, namespace),
  };
}

function netOf(text: string): Prefix {
  return parsePrefix(text, { hostBits: 'clear' });
}

function portOf(port: number | string): PortMatch {
  const match = parsePort(port);
  if (match !== undefined) return match;
  throw new RangeError(`Cannot read port "${port}": a number, a range or a name is accepted`);
}
