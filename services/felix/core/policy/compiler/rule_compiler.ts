// One policy rule to packet-filter rules. A packet-filter rule is a conjunction; what a policy rule leaves open
// (both families, ports by number or by name) becomes several of them, of which any may match.
import { FAMILIES, type Family, type Prefix } from '@calico/ip';
import type { IcmpTerms, RuleTerms, SideTerms } from '../meaning/rule_terms.ts';
import { PORT_PROTOCOLS, portAlternatives } from './port_compiler.ts';
import { match, mismatch } from './ruleset.ts';
import type { SetBuilder } from './set_builder.ts';
import {
  type AddressField,
  type Alternative,
  fieldsOf,
  netsValue,
  notSelected,
  other,
  type Term,
} from './terms.ts';

const ICMP = 1;
const ICMP_V6 = 58;

/** The conjunctions of which any makes the rule match; none: it never matches. */
export function alternatives(rule: RuleTerms, sets: SetBuilder): Alternative[] {
  if (rule.isNeverMet || isContradiction(rule)) return [];
  if (!needsFamily(rule)) return portAlternatives(rule, undefined, sets);
  return FAMILIES.filter((family) => appliesTo(rule, family)).flatMap((family) => {
    const addresses = [
      ...addressMatches(rule.source, 'saddr', family, sets),
      ...addressMatches(rule.destination, 'daddr', family, sets),
    ];
    return protocolAlternatives(rule, family, sets).map((protocol) =>
      withFamily([...addresses, ...protocol], family),
    );
  });
}

/** One protocol wanted and excluded, or ports of a protocol that has none. */
function isContradiction({ protocol, notProtocol, source, destination }: RuleTerms): boolean {
  if (protocol === undefined) return false;
  const wantsPorts =
    source.ports.length + destination.ports.length > 0 || destination.service !== undefined;
  return protocol === notProtocol || (wantsPorts && !PORT_PROTOCOLS.has(protocol));
}

function needsFamily({ ipVersion, icmp, notIcmp, source, destination }: RuleTerms): boolean {
  return (
    ipVersion !== undefined ||
    icmp !== undefined ||
    notIcmp !== undefined ||
    [source, destination].some(
      (side) =>
        side.nets.length + side.notNets.length > 0 ||
        side.selector !== undefined ||
        side.notSelector !== undefined ||
        side.service !== undefined ||
        [...side.ports, ...side.notPorts].some(({ kind }) => kind === 'named'),
    )
  );
}

// A list of nets without any of this family cannot match it; a negated one is meant for the other family.
function appliesTo(rule: RuleTerms, family: Family): boolean {
  const { ipVersion, icmp, notIcmp, protocol } = rule;
  if (ipVersion !== undefined && ipVersion !== family) return false;
  const isTyped = icmp !== undefined || notIcmp !== undefined;
  if (isTyped && protocol !== (family === 4 ? ICMP : ICMP_V6)) return false;
  return [rule.source, rule.destination].every(({ nets, notNets }) => {
    const [wanted, excluded] = [ofFamily(nets, family), ofFamily(notNets, family)];
    if (nets.length > 0 && wanted.length === 0) return false;
    return (
      notNets.length === 0 || (excluded.length > 0 && excluded.every(({ length }) => length > 0))
    );
  });
}

function addressMatches(
  side: SideTerms,
  end: 'saddr' | 'daddr',
  family: Family,
  sets: SetBuilder,
): Term[] {
  const field: AddressField = family === 4 ? `ip ${end}` : `ip6 ${end}`;
  const terms: Term[] = [];
  const nets = ofFamily(side.nets, family);
  // A catch-all says no more than the family.
  if (nets.length > 0 && nets.every(({ length }) => length > 0)) {
    terms.push({ kind: 'nets', field, nets });
  }
  if (side.selector) terms.push({ kind: 'selected', field, selector: side.selector });
  // The ports of a service as destination are matched together with its addresses.
  if (side.service && end === 'saddr') {
    terms.push(other(match(field, `@${sets.serviceAddresses(side.service, family)}`)));
  }
  const notNets = ofFamily(side.notNets, family);
  if (notNets.length > 0) terms.push(other(mismatch(field, netsValue(notNets, family, sets))));
  if (side.notSelector) {
    terms.push(...notSelected(field, side.notSelector, sets).map(other));
  }
  return terms;
}

function ofFamily(nets: readonly Prefix[], family: Family): Prefix[] {
  return nets.filter((net) => net.family === family);
}

function protocolAlternatives(rule: RuleTerms, family: Family, sets: SetBuilder): Alternative[] {
  const { icmp, notIcmp } = rule;
  if (icmp === undefined && notIcmp === undefined) return portAlternatives(rule, family, sets);
  const header = family === 4 ? 'icmp' : 'icmpv6';
  return icmpAlternatives(icmp, notIcmp).map(({ type, notType, code, notCode }) => [
    ...(type === undefined ? [] : [other(match(`${header} type`, type))]),
    ...(notType === undefined ? [] : [other(mismatch(`${header} type`, notType))]),
    ...(code === undefined ? [] : [other(match(`${header} code`, code))]),
    ...(notCode === undefined ? [] : [other(mismatch(`${header} code`, notCode))]),
  ]);
}

type IcmpMatch = {
  readonly type?: number;
  readonly notType?: number;
  readonly code?: number | undefined;
  readonly notCode?: number;
};

/** What a rule wants, without what it excludes: another type, or the same type with another code. */
function icmpAlternatives(
  wanted: IcmpTerms | undefined,
  excluded: IcmpTerms | undefined,
): IcmpMatch[] {
  if (excluded === undefined) return wanted === undefined ? [{}] : [wanted];
  const { type, code } = excluded;
  if (wanted === undefined) {
    return code === undefined ? [{ notType: type }] : [{ notType: type }, { type, notCode: code }];
  }
  if (wanted.type !== type) return [wanted];
  if (code === undefined || wanted.code === code) return [];
  return wanted.code === undefined ? [{ type, notCode: code }] : [wanted];
}

// A field of the family's own header implies it, and then nft lists no more than that. The family comes last:
// before `meta l4proto` of ICMP nft would not list it either.
function withFamily(terms: Alternative, family: Family): Alternative {
  const [own, ownIcmp] = family === 4 ? ['ip ', 'icmp '] : ['ip6 ', 'icmpv6 '];
  const isImplied = terms.some((term) =>
    fieldsOf(term).some((field) => field.startsWith(own) || field.startsWith(ownIcmp)),
  );
  if (isImplied) return terms;
  return [...terms, other(match('meta nfproto', family === 4 ? 'ipv4' : 'ipv6'))];
}
