// Protocols and ports of a rule. A port match says its protocol as well, so a rule that names none has an
// alternative for each protocol that has ports.
import type { Family } from '@calico/ip';
import type { PortMatch } from '@calico/model';
import type { RuleTerms, SideTerms } from '../meaning/rule_terms.ts';
import { type Field, type Match, match, mismatch, type PortProtocol } from './ruleset.ts';
import { joinRanges, type PortRange, rangeText, type SetBuilder } from './set_builder.ts';

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
): Match[][] {
  const { protocol, notProtocol, source, destination } = rule;
  if (!hasPorts(source) && !hasPorts(destination)) return [protocolMatches(protocol, notProtocol)];
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

function protocolMatches(protocol: number | undefined, notProtocol: number | undefined): Match[] {
  if (protocol !== undefined) return [match('meta l4proto', protocol)];
  return notProtocol === undefined ? [] : [mismatch('meta l4proto', notProtocol)];
}

// What has no ports has none of those that must be there, and none of those that must not.
function withoutPorts(rule: RuleTerms, sets: SetBuilder): Match[][] {
  const { protocol, notProtocol, source, destination } = rule;
  if (source.ports.length + destination.ports.length > 0) return [];
  if (protocol !== undefined) {
    return PORT_PROTOCOLS.has(protocol) ? [] : [protocolMatches(protocol, notProtocol)];
  }
  const others = mismatch('meta l4proto', `@${sets.protocols([...PORT_PROTOCOLS.keys()])}`);
  const isExcluded = notProtocol !== undefined && !PORT_PROTOCOLS.has(notProtocol);
  return [isExcluded ? [others, mismatch('meta l4proto', notProtocol)] : [others]];
}

/** A side that excludes every port of another protocol only says nothing; the protocol has to be said then. */
function implying(protocol: PortProtocol, matches: Match[]): Match[] {
  if (matches.length > 0) return matches;
  const [number] = [...PORT_PROTOCOLS].find(([, name]) => name === protocol) ?? [0];
  return [match('meta l4proto', number)];
}

type SideMatches = {
  /** Alternatives; one empty one when every port is fine. */
  readonly wanted: readonly Match[][];
  /** Apart, since nft lists two wanted ports side by side. */
  readonly excluded: readonly Match[];
};

function sideMatches(
  side: SideTerms,
  end: 'sport' | 'dport',
  protocol: PortProtocol,
  family: Family | undefined,
  sets: SetBuilder,
): SideMatches {
  const field: Field = `${protocol} ${end}`;
  const named = (name: string, operator: '==' | '!='): Match => ({
    kind: 'match',
    fields: [addressField(family, end), field],
    operator,
    value: `@${sets.namedPort(name, protocol, side.selector, family ?? 4)}`,
  });
  const excluded = [
    ...rangesOf(side.notPorts).map((ranges) => mismatch(field, `@${sets.ports(ranges)}`)),
    ...namesOf(side.notPorts).map((name) => named(name, '!=')),
  ];
  if (side.ports.length === 0) return { wanted: [[]], excluded };
  const wanted = [
    ...rangesOf(side.ports).map((ranges) => match(field, rangesValue(ranges, sets))),
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

function rangesValue(ranges: readonly PortRange[], sets: SetBuilder): string {
  const [only, ...more] = ranges;
  if (only !== undefined && more.length === 0) return rangeText(only);
  return `@${sets.ports(ranges)}`;
}
