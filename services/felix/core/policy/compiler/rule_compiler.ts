// One policy rule to packet-filter rules. A packet-filter rule is a conjunction; what a policy rule leaves open
// (both families, ports by number or by name) becomes several of them, of which any may match.
import type { Family, Prefix } from '@calico/ip';
import type { IcmpTerms, RuleTerms, SideTerms } from '../meaning/rule_terms.ts';
import { portAlternatives } from './port_compiler.ts';
import { type Field, type Match, match, mismatch } from './ruleset.ts';
import { prefixText, type SetBuilder } from './set_builder.ts';

export type Alternative = readonly Match[];

const ICMP = 1;
const ICMP_V6 = 58;
const FAMILIES: readonly Family[] = [4, 6];

/** The conjunctions of which any makes the rule match; none: it never matches. */
export function alternatives(rule: RuleTerms, sets: SetBuilder): Alternative[] {
  if (rule.isNeverMet) return [];
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
): Match[] {
  const field: Field = family === 4 ? `ip ${end}` : `ip6 ${end}`;
  const matches: Match[] = [];
  const nets = ofFamily(side.nets, family);
  // A catch-all says no more than the family.
  if (nets.length > 0 && nets.every(({ length }) => length > 0)) {
    matches.push(match(field, netsValue(nets, family, sets)));
  }
  if (side.selector) matches.push(match(field, `@${sets.selected(side.selector, family)}`));
  const notNets = ofFamily(side.notNets, family);
  if (notNets.length > 0) matches.push(mismatch(field, netsValue(notNets, family, sets)));
  if (side.notSelector)
    matches.push(mismatch(field, `@${sets.selected(side.notSelector, family)}`));
  return matches;
}

function netsValue(nets: readonly Prefix[], family: Family, sets: SetBuilder): string {
  const [only, ...more] = nets;
  if (only !== undefined && more.length === 0) return prefixText(only);
  return `@${sets.nets(nets, family)}`;
}

function ofFamily(nets: readonly Prefix[], family: Family): Prefix[] {
  return nets.filter((net) => net.family === family);
}

function protocolAlternatives(rule: RuleTerms, family: Family, sets: SetBuilder): Alternative[] {
  const { icmp, notIcmp } = rule;
  if (icmp === undefined && notIcmp === undefined) return portAlternatives(rule, family, sets);
  // Rules with an ICMP type have no ports; one that says both is a conjunction of each.
  const wanted = icmp === undefined ? [[]] : [icmpMatches(icmp, family)];
  const unwanted = notIcmp === undefined ? [[]] : notIcmpAlternatives(notIcmp, family);
  return wanted.flatMap((some) => unwanted.map((others) => [...some, ...others]));
}

function icmpMatches({ type, code }: IcmpTerms, family: Family): Match[] {
  const protocol = family === 4 ? 'icmp' : 'icmpv6';
  const matches = [match(`${protocol} type`, type)];
  return code === undefined ? matches : [...matches, match(`${protocol} code`, code)];
}

/** Another type, or the same type with another code. */
function notIcmpAlternatives({ type, code }: IcmpTerms, family: Family): Match[][] {
  const protocol = family === 4 ? 'icmp' : 'icmpv6';
  const otherType = [mismatch(`${protocol} type`, type)];
  if (code === undefined) return [otherType];
  return [otherType, [match(`${protocol} type`, type), mismatch(`${protocol} code`, code)]];
}

// A field of the family's own header implies it, and then nft lists no more than that.
function withFamily(matches: readonly Match[], family: Family): Alternative {
  const [own, ownIcmp] = family === 4 ? ['ip ', 'icmp '] : ['ip6 ', 'icmpv6 '];
  const isImplied = matches.some(({ fields }) =>
    fields.some((field) => field.startsWith(own) || field.startsWith(ownIcmp)),
  );
  if (isImplied) return matches;
  return [match('meta nfproto', family === 4 ? 'ipv4' : 'ipv6'), ...matches];
}
