// Collects the named sets that rules refer to. A set is named after what it stands for, so that all rules of all
// policies that mean the same share it, and a change of its members touches no rule.
import {
  aggregate,
  comparePrefixes,
  type Family,
  formatAddress,
  formatPrefix,
  type Prefix,
} from '@calico/ip';
import type { Selector } from '@calico/selector';
import type { Member } from '../meaning/members.ts';
import { contentId, readableName } from './identifiers.ts';
import type { KeyType, NamedSet, PortProtocol, Verdict } from './ruleset.ts';

export type PortRange = { readonly first: number; readonly last: number };

const ADDRESS_BITS = { 4: 32, 6: 128 } as const;
const PROTOCOL_NUMBERS: Readonly<Record<PortProtocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

export class SetBuilder {
  readonly #members: readonly Member[];
  readonly #sets = new Map<string, NamedSet>();
  readonly #selections = new Map<string, readonly Member[]>();

  constructor(members: readonly Member[]) {
    this.#members = members;
  }

  get sets(): ReadonlyMap<string, NamedSet> {
    return this.#sets;
  }

  /** Adds a set that is described in full. */
  add(name: string, set: Omit<NamedSet, 'kind'>): string {
    this.#sets.set(name, { kind: 'set', ...set });
    return name;
  }

  addVerdictMap(name: string, comment: string, elements: ReadonlyMap<string, Verdict>): string {
    this.#sets.set(name, {
      kind: 'verdict-map',
      key: ['ifname'],
      interval: false,
      comment,
      elements,
    });
    return name;
  }

  /** Addresses of one family of all that a selector matches. */
  selected(selector: Selector, family: Family): string {
    const prefixes = this.#selection(selector)
      .flatMap((member) => member.prefixes)
      .filter((prefix) => prefix.family === family);
    // A hash costs less to look up and to change than intervals do, which only nets need. A set cannot change
    // its kind: so the kind is part of its name.
    const hasNets = prefixes.some(({ length }) => length < ADDRESS_BITS[family]);
    const id = contentId(selector.uniqueId);
    const name = `${hasNets ? 'nets' : 'endpoints'}${family}/${id}`;
    if (this.#sets.has(name)) return name;
    return this.prefixes(name, family, prefixes, hasNets, selector.canonical);
  }

  /** One address set out of prefixes, which may overlap. */
  prefixes(
    name: string,
    family: Family,
    prefixes: readonly Prefix[],
    interval: boolean,
    comment: string,
  ): string {
    const texts = interval
      ? aggregate(prefixes).map(prefixText)
      : prefixes.map((prefix) => formatAddress(prefix));
    return this.add(name, {
      key: [addressType(family)],
      interval,
      comment,
      elements: elementsOf(texts),
    });
  }

  /** A list of nets in a rule. */
  nets(nets: readonly Prefix[], family: Family): string {
    const text = aggregate(nets).toSorted(comparePrefixes).map(formatPrefix).join(',');
    const name = `nets${family}/${contentId(text)}`;
    return this.#sets.has(name) ? name : this.prefixes(name, family, nets, true, text);
  }

  /** A list of port numbers in a rule. */
  ports(ranges: readonly PortRange[]): string {
    const texts = joinRanges(ranges).map(rangeText);
    const name = readableName('ports', texts.join('_'));
    const comment = `ports ${texts.join(', ')}`;
    return this.add(name, {
      key: ['inet_service'],
      interval: true,
      comment,
      elements: elementsOf(texts),
    });
  }

  /** Address and number of every port of this name, of the endpoints that the selector matches. */
  namedPort(
    name: string,
    protocol: PortProtocol,
    selector: Selector | undefined,
    family: Family,
  ): string {
    const scope = selector === undefined ? 'all' : contentId(selector.uniqueId);
    const setName = readableName(`port${family}`, protocol, name, scope);
    if (this.#sets.has(setName)) return setName;
    const elements = this.#selection(selector).flatMap(({ ports, prefixes }) =>
      ports
        .filter((port) => port.name === name && port.protocol === PROTOCOL_NUMBERS[protocol])
        .flatMap(({ port }) =>
          prefixes
            .filter((prefix) => prefix.family === family)
            .map((prefix) => `${formatAddress(prefix)} . ${port}`),
        ),
    );
    const of = selector === undefined ? '' : ` of ${selector.canonical}`;
    return this.add(setName, {
      key: [addressType(family), 'inet_service'],
      interval: false,
      comment: `${protocol} port ${name}${of}`,
      elements: elementsOf(elements),
    });
  }

  protocols(numbers: readonly number[]): string {
    const texts = numbers.map(String);
    return this.add(`protocols/${texts.join('_')}`, {
      key: ['inet_proto'],
      interval: false,
      comment: `protocols ${texts.join(', ')}`,
      elements: elementsOf(texts),
    });
  }

  #selection(selector: Selector | undefined): readonly Member[] {
    if (selector === undefined) return this.#members;
    const known = this.#selections.get(selector.canonical);
    if (known !== undefined) return known;
    const found = this.#members.filter(({ labels }) => selector.matches(labels));
    this.#selections.set(selector.canonical, found);
    return found;
  }
}

export function addressType(family: Family): KeyType {
  return family === 4 ? 'ipv4_addr' : 'ipv6_addr';
}

/** As nft lists it: an address without a length. */
export function prefixText(prefix: Prefix): string {
  return prefix.length === ADDRESS_BITS[prefix.family]
    ? formatAddress(prefix)
    : formatPrefix(prefix);
}

export function rangeText({ first, last }: PortRange): string {
  return first === last ? String(first) : `${first}-${last}`;
}

export function elementsOf(texts: readonly string[]): ReadonlyMap<string, undefined> {
  return new Map(texts.map((text) => [text, undefined]));
}

/** Sorted, and none that overlap: intervals of a set must not. */
export function joinRanges(ranges: readonly PortRange[]): PortRange[] {
  const joined: PortRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const last = joined.at(-1);
    if (last === undefined || range.first > last.last + 1) joined.push(range);
    else joined[joined.length - 1] = { first: last.first, last: Math.max(last.last, range.last) };
  }
  return joined;
}
