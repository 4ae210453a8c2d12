// Collects the named sets that rules refer to. A set is named after what it stands for, so that all rules of all
// policies that mean the same share it, and a change of its members touches no rule.
import {
  addressBits,
  aggregate,
  comparePrefixes,
  type Family,
  formatAddress,
  formatPrefix,
  type Prefix,
  subnets,
} from '@calico/ip';
import type { Selector } from '@calico/selector';
import { type ServiceName, serviceSelector, serviceText } from '../meaning/services.ts';
import { addressRangeText, rangesOf } from './address_ranges.ts';
import { contentId, readableName } from './identifiers.ts';
import type { Lookup } from './lookups/lookup.ts';
import type { ClassRef, CounterRef, KeyType, NamedSet, PortProtocol, Verdict } from './ruleset.ts';
import type { Form } from './set_form.ts';

export type PortRange = { readonly first: number; readonly last: number };

/** What is found in an address set: an address that one of the parts covers. */
export type SelectedAddresses = {
  /** At least one. */
  readonly parts: readonly AddressPart[];
  /** How many elements a look-up has to expect of the only part; undefined: it cannot be part of one. */
  readonly room: number | undefined;
};

export type AddressPart = { readonly form: Form; readonly elements: NamedSet['elements'] };

/** The addresses of what a selector matches, each before each of the suffixes, lead to one counter. */
export type CounterClaim = {
  readonly counter: CounterRef;
  readonly selector: Selector;
  readonly suffixes: readonly string[];
};

/** What selectors find in the cluster. */
export interface Selections {
  addresses(selector: Selector, family: Family): SelectedAddresses;
  /** What claims make elements of: of two claims for an element the first counts. */
  joined(family: Family, claims: readonly CounterClaim[]): NamedSet['elements'];
  /** Elements "address . number" of the ports that are asked for. */
  namedPorts(request: NamedPortRequest): NamedSet['elements'];
}

export type NamedPortRequest = {
  /** Undefined: ports of any name. */
  readonly name: string | undefined;
  readonly protocol: PortProtocol;
  /** Undefined: of all endpoints. */
  readonly selector: Selector | undefined;
  readonly family: Family;
};

/** Where sets are put. */
export type SetShelf = {
  readonly has: (name: string) => boolean;
  readonly set: (name: string, set: NamedSet) => unknown;
};

export class SetBuilder {
  readonly #selections: Selections;
  readonly #sets: SetShelf;
  readonly #services: Selections;

  /** `services` finds slices of services, and is needed by rules only. */
  constructor(selections: Selections, sets: SetShelf, services: Selections = selections) {
    this.#selections = selections;
    this.#sets = sets;
    this.#services = services;
  }

  /** Adds a set that is described in full. */
  add(name: string, set: Omit<NamedSet, 'kind'>): string {
    this.#sets.set(name, { kind: 'set', ...set });
    return name;
  }

  /** By names: of interfaces, or of classes. */
  addVerdictMap(name: string, comment: string, elements: ReadonlyMap<string, Verdict>): void {
    this.#sets.set(name, {
      kind: 'verdict-map',
      key: ['ifname'],
      interval: false,
      comment,
      elements,
    });
  }

  addClassMap(name: string, comment: string, elements: ReadonlyMap<string, ClassRef>): void {
    this.#sets.set(name, {
      kind: 'class-map',
      key: ['ifname'],
      interval: false,
      comment,
      elements,
    });
  }

  /** How many elements a look-up has to expect of a selector; undefined: it cannot be part of one. */
  roomOf(selector: Selector, family: Family): number | undefined {
    return this.#selections.addresses(selector, family).room;
  }

  /** The counter map of a look-up, with a counter for each rule: what it counts, by the rule's number. */
  addLookup(
    name: string,
    comment: string,
    lookup: Lookup,
    rules: ReadonlyMap<number, string>,
  ): void {
    const { key, interval, content } = lookup;
    const counterOf = (rule: number): CounterRef => `counter ${name}/${rule}`;
    const elements =
      content.kind === 'listed'
        ? new Map([...content.elements].map(([element, rule]) => [element, counterOf(rule)]))
        : this.#selections.joined(
            content.family,
            content.claims.map(({ rule, ...claim }) => ({ ...claim, counter: counterOf(rule) })),
          );
    const counters = new Map([...rules].map(([rule, text]) => [`${name}/${rule}`, text]));
    this.#sets.set(name, { kind: 'counter-map', key, interval, comment, elements, counters });
  }

  /** Addresses of one family of all that a selector matches: the sets of which any may have an address. */
  selected(selector: Selector, family: Family): readonly { name: string; form: Form }[] {
    const { parts } = this.#selections.addresses(selector, family);
    return parts.map(({ form, elements }) => {
      // A set cannot change its kind: so the kind is part of its name.
      const name = `${partNoun(family, form)}/${contentId(selector.uniqueId)}`;
      if (!this.#sets.has(name)) {
        const interval = form === 'ranges';
        const comment = selector.canonical;
        this.add(name, { key: [addressType(family)], interval, comment, elements });
      }
      return { name, form };
    });
  }

  /** One address set out of prefixes, which may overlap. */
  prefixes(name: string, family: Family, prefixes: readonly Prefix[], comment: string): string {
    return this.add(name, {
      key: [addressType(family)],
      interval: true,
      comment,
      elements: addressElements(family, prefixes, 'ranges'),
    });
  }

  /** A list of nets in a rule. */
  nets(nets: readonly Prefix[], family: Family): string {
    const text = aggregate(nets).toSorted(comparePrefixes).map(formatPrefix).join(',');
    const name = `nets${family}/${contentId(text)}`;
    return this.#sets.has(name) ? name : this.prefixes(name, family, nets, text);
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
    const elements = this.#selections.namedPorts({ name, protocol, selector, family });
    const of = selector === undefined ? '' : ` of ${selector.canonical}`;
    return this.add(setName, {
      key: [addressType(family), 'inet_service'],
      interval: false,
      comment: `${protocol} port ${name}${of}`,
      elements,
    });
  }

  /** Addresses behind a service. */
  serviceAddresses(service: ServiceName, family: Family): string {
    const name = readableName(`service${family}`, service.namespace, service.name);
    if (this.#sets.has(name)) return name;
    // A service has no nets, so there is one part.
    const [part] = this.#services.addresses(serviceSelector(service), family).parts;
    return this.add(name, {
      key: [addressType(family)],
      interval: false,
      comment: `service ${serviceText(service)}`,
      elements: part?.elements ?? new Map(),
    });
  }

  /** Address and number of every port behind a service. */
  servicePorts(service: ServiceName, protocol: PortProtocol, family: Family): string {
    const { namespace } = service;
    const setName = readableName(`service${family}`, protocol, namespace, service.name);
    if (this.#sets.has(setName)) return setName;
    const selector = serviceSelector(service);
    const elements = this.#services.namedPorts({ name: undefined, protocol, selector, family });
    return this.add(setName, {
      key: [addressType(family), 'inet_service'],
      interval: false,
      comment: `${protocol} ports of service ${serviceText(service)}`,
      elements,
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
}

/** As elements of a set: ranges that do not overlap, or blocks of one length. */
export function addressElements(
  family: Family,
  prefixes: readonly Prefix[],
  form: Form,
): ReadonlyMap<string, undefined> {
  return elementsOf(
    form === 'ranges'
      ? rangesOf(prefixes).map((range) => addressRangeText(family, range))
      : prefixes.flatMap((prefix) => [...blocksIn(prefix, form)]),
  );
}

/** First addresses of the blocks of this length that a prefix is made of. */
export function* blocksIn(prefix: Prefix, length: number): Iterable<string> {
  for (const block of subnets(prefix, length)) yield formatAddress(block);
}

/** endpoints4, nets4, nets4-24 */
function partNoun(family: Family, form: Form): string {
  if (form === 'ranges') return `nets${family}`;
  return form === addressBits(family) ? `endpoints${family}` : `nets${family}-${form}`;
}

export function addressType(family: Family): KeyType {
  return family === 4 ? 'ipv4_addr' : 'ipv6_addr';
}

/** More than one address. */
export function isNet({ family, length }: Prefix): boolean {
  return length < addressBits(family);
}

/** As nft lists it: an address without a length. */
export function prefixText(prefix: Prefix): string {
  return prefix.length === addressBits(prefix.family)
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
