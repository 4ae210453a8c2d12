// Protocols and ports of a rule. A port match says its protocol as well, so a rule that names none has an
// alternative for each protocol that has ports.
import type { Family } from '@calico/ip';
import type { PortMatch } from '@calico/model';
import type { RuleTerms, SideTerms } from '../meaning/rule_terms.ts';
import { type Field, type Match, mismatch, type PortProtocol } from './ruleset.ts';
import { joinRanges, type PortRange, type SetBuilder } from './set_builder.ts';
import { type Alternative, other, type PortField, type Term } from './terms.ts';

export const PORT_PROTOCOLS: ReadonlyMap<number, PortProtocol> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

/** `family` undefined: the rule names no port that is found by address. */
export function portAlternatives(
  rule: RuleTerms,
  family: Family | undefined,
  sets: SetBuilder,
): Alternative[] {
  const { protocol, notProtocol, source, destination } = rule;
  if (!hasPorts(source) && !hasPorts(destination) && destination.service === undefined)
    return [protocolTerms(protocol, notProtocol)];
  const withPorts = [...PORT_PROTOCOLS]
    .filter(([number]) => number === (protocol ?? number) && number !== notProtocol)
    .flatMap(([, name]) => {
      const from = sideMatches(source, 'sport', name, family, sets);
      const to = sideMatches(destination, 'dport', name, family, sets);
      const excluded = [...from.excluded, ...to.excluded];
      return from.wanted.flatMap((some) =>
        to.wanted.map((others) => implying(name, [...some, ...others, ...excluded])),
      );
    });
  return [...withPorts, ...withoutPorts(rule, sets)];
}

function hasPorts({ ports, notPorts }: SideTerms): boolean {
  return ports.length + notPorts.length > 0;
}

function protocolTerms(protocol: number | undefined, notProtocol: number | undefined): Term[] {
  if (protocol !== undefined) return [{ kind: 'protocol', number: protocol }];
  return notProtocol === undefined ? [] : [other(mismatch('meta l4proto', notProtocol))];
}

// What has no ports has none of those that must be there, and none of those that must not.
function withoutPorts(rule: RuleTerms, sets: SetBuilder): Term[][] {
  const { protocol, notProtocol, source, destination } = rule;
  if (source.ports.length + destination.ports.length > 0) return [];
  if (destination.service !== undefined) return [];
  if (protocol !== undefined) {
    return PORT_PROTOCOLS.has(protocol) ? [] : [protocolTerms(protocol, notProtocol)];
  }
  const others = other(mismatch('meta l4proto', `@${sets.protocols([...PORT_PROTOCOLS.keys()])}`));
  const isExcluded = notProtocol !== undefined && !PORT_PROTOCOLS.has(notProtocol);
  return [isExcluded ? [others, other(mismatch('meta l4proto', notProtocol))] : [others]];
}

/** A side that excludes every port of another protocol only says nothing; the protocol has to be said then. */
function implying(protocol: PortProtocol, terms: Term[]): Term[] {
  if (terms.length > 0) return terms;
  const [number] = [...PORT_PROTOCOLS].find(([, name]) => name === protocol) ?? [0];
  return [{ kind: 'protocol', number }];
}

type SideMatches = {
  /** Alternatives; one empty one when every port is fine. */
  readonly wanted: readonly Term[][];
  /** Apart, since nft lists two wanted ports side by side. */
  readonly excluded: readonly Term[];
};

function sideMatches(
  side: SideTerms,
  end: 'sport' | 'dport',
  protocol: PortProtocol,
  family: Family | undefined,
  sets: SetBuilder,
): SideMatches {
  const field: PortField = `${protocol} ${end}`;
  const named = (name: string, operator: Match['operator']): Term =>
    other({
      kind: 'match',
      fields: [addressField(family, end), field],
      operator,
      value: `@${sets.namedPort(name, protocol, side.selector, family ?? 4)}`,
    });
  const excluded = [
    ...rangesOf(side.notPorts).map((ranges) => other(mismatch(field, `@${sets.ports(ranges)}`))),
    ...namesOf(side.notPorts).map((name) => named(name, '!=')),
  ];
  if (side.service !== undefined && end === 'dport') {
    const set = sets.servicePorts(side.service, protocol, family ?? 4);
    const fields = [addressField(family, end), field];
    return {
      wanted: [[other({ kind: 'match', fields, operator: '==', value: `@${set}` })]],
      excluded,
    };
  }
  if (side.ports.length === 0) return { wanted: [[]], excluded };
  const wanted = [
    ...rangesOf(side.ports).map((ranges): Term => ({ kind: 'ports', field, ranges })),
    ...namesOf(side.ports).map((name) => named(name, '==')),
  ];
  return { wanted: wanted.map((one) => [one]), excluded };
}

function addressField(family: Family | undefined, end: 'sport' | 'dport'): Field {
  const header = family === 6 ? 'ip6' : 'ip';
  return `${header} ${end === 'sport' ? 'saddr' : 'daddr'}`;
}

/** All numeric ports as one list; none when there are no numeric ports. */
function rangesOf(ports: readonly PortMatch[]): PortRange[][] {
  const ranges = ports.filter((port) => port.kind === 'range');
  return ranges.length === 0 ? [] : [joinRanges(ranges)];
}

function namesOf(ports: readonly PortMatch[]): string[] {
  return ports.flatMap((port) => (port.kind === 'named' ? [port.name] : []));
}
