// What selectors find, by looking at every member of the cluster: the meaning of selection.
import { type Family, formatAddress, type Prefix } from '@calico/ip';
import type { Selector } from '@calico/selector';
import type { Member } from '../meaning/members.ts';
import type { CounterRef, NamedSet, PortProtocol } from './ruleset.ts';
import {
  addressElements,
  type CounterClaim,
  elementsOf,
  type NamedPortRequest,
  prefixText,
  type SelectedAddresses,
  type Selections,
} from './set_builder.ts';
import { contentOf, formsOf, roomFor } from './set_form.ts';

const PROTOCOL_NUMBERS: Readonly<Record<PortProtocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

export class MemberSelections implements Selections {
  readonly #members: readonly Member[];
  readonly #known = new Map<string, readonly Member[]>();
  readonly #addresses = new Map<string, SelectedAddresses>();

  readonly #fewestBlocks: number | undefined;

  constructor(members: readonly Member[], fewestBlocks?: number) {
    this.#members = members;
    this.#fewestBlocks = fewestBlocks;
  }

  addresses(selector: Selector, family: Family): SelectedAddresses {
    const key = `${family} ${selector.canonical}`;
    const known = this.#addresses.get(key);
    if (known !== undefined) return known;
    const prefixes = this.#selection(selector)
      .flatMap((member) => member.prefixes)
      .filter((prefix) => prefix.family === family);
    const found = selectedAddresses(family, prefixes, this.#fewestBlocks);
    this.#addresses.set(key, found);
    return found;
  }

  joined(family: Family, claims: readonly CounterClaim[]): NamedSet['elements'] {
    const elements = new Map<string, CounterRef>();
    for (const { counter, selector, suffixes } of claims.toReversed()) {
      const [part] = this.addresses(selector, family).parts;
      for (const address of part?.elements.keys() ?? []) {
        for (const suffix of suffixes) elements.set(`${address}${suffix}`, counter);
      }
    }
    return elements;
  }

  namedPorts(request: NamedPortRequest): NamedSet['elements'] {
    const members = this.#selection(request.selector);
    return elementsOf(members.flatMap((member) => portElements(member, request)));
  }

  #selection(selector: Selector | undefined): readonly Member[] {
    if (selector === undefined) return this.#members;
    const known = this.#known.get(selector.canonical);
    if (known !== undefined) return known;
    const found = this.#members.filter(({ labels }) => selector.matches(labels));
    this.#known.set(selector.canonical, found);
    return found;
  }
}

/** Of prefixes of one family, also of such that overlap. */
export function selectedAddresses(
  family: Family,
  prefixes: readonly Prefix[],
  fewestBlocks?: number,
): SelectedAddresses {
  const distinct = [...new Map(prefixes.map((prefix) => [prefixText(prefix), prefix])).values()];
  const { content, byBlock } = contentOf(distinct);
  const forms = formsOf(family, content, fewestBlocks);
  const parts = forms.map((form) => {
    const own = [...byBlock]
      .filter(([block]) => form === (forms.includes(block) ? block : 'ranges'))
      .flatMap(([, members]) => members);
    return { form, elements: addressElements(family, own, form) };
  });
  return { parts, room: roomFor(content) };
}

/** "address . number" of every port of one member that is asked for. */
export function portElements(
  { ports, prefixes }: Pick<Member, 'ports' | 'prefixes'>,
  { name, protocol, family }: NamedPortRequest,
): string[] {
  return ports
    .filter((port) => port.name === (name ?? port.name))
    .filter((port) => port.protocol === PROTOCOL_NUMBERS[protocol])
    .flatMap(({ port }) =>
      prefixes
        .filter((prefix) => prefix.family === family)
        .map((prefix) => `${formatAddress(prefix)} . ${port}`),
    );
}
