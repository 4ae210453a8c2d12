// Ports of Kubernetes' rules: lists of protocol and port, of which any may match, as one list per protocol.
import { parsePort } from '../kinds/policy_rule.ts';

export type Protocol = 'TCP' | 'UDP' | 'SCTP';

/** `port` undefined: every port of the protocol. `protocol` undefined: the port is a name, of any protocol. */
export type PortChoice = {
  readonly protocol: Protocol | undefined;
  readonly port: number | string | undefined;
};

/** For one rule each; `ports` empty: every port. */
export type PortGroup = {
  readonly protocol: Protocol | undefined;
  readonly ports: readonly (number | string)[];
};

/** No choice stands for everything. In the order of the protocols' names. */
export function portGroups(choices: readonly PortChoice[]): PortGroup[] {
  const matchesAll = choices.some(
    ({ protocol, port }) => protocol === undefined && port === undefined,
  );
  if (choices.length === 0 || matchesAll) return [{ protocol: undefined, ports: [] }];
  const byProtocol = Map.groupBy(choices, ({ protocol }) => protocol);
  return [...byProtocol]
    .toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1))
    .map(([protocol, own]) => {
      const ports = own.flatMap(({ port }) => port ?? []);
      return { protocol, ports: ports.length < own.length ? [] : joined(ports) };
    });
}

/** 80, 81, 82, "http" become "80:82", "http". */
function joined(ports: readonly (number | string)[]): (number | string)[] {
  const names: string[] = [];
  const ranges: { first: number; last: number }[] = [];
  for (const port of new Set(ports)) {
    const match = parsePort(port);
    if (match?.kind === 'range') ranges.push({ first: match.first, last: match.last });
    else names.push(String(port));
  }
  const merged: { first: number; last: number }[] = [];
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before === undefined || range.first > before.last + 1) merged.push(range);
    else before.last = Math.max(before.last, range.last);
  }
  const numbers = merged.map(({ first, last }) => (first === last ? first : `${first}:${last}`));
  return [...numbers, ...names];
}
