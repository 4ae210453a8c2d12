// What selectors find in the cluster, kept up to date: an endpoint that changes is compared with the few selectors that
// may concern it, and changes the elements of those that it enters or leaves.
import { type Family, type Prefix } from '@calico/ip';
import { allOf, LabelIndex, type Labels, type Selector, SelectorIndex } from '@calico/selector';
import { portElements } from '../compiler/member_selections.ts';
import type { NamedSet } from '../compiler/ruleset.ts';
import type {
  CounterClaim,
  NamedPortRequest,
  SelectedAddresses,
  Selections,
} from '../compiler/set_builder.ts';
import type { NamedPort } from '../meaning/members.ts';
import { AddressElements } from './address_elements.ts';
import { JoinedElements } from './joined_elements.ts';
import { listChanges } from './list_changes.ts';
import { LiveElements } from './live_elements.ts';

/** An endpoint or network set. Objects are compared by identity. */
export type LiveMember = {
  readonly labels: Labels;
  readonly prefixes: readonly Prefix[];
  readonly ports: readonly NamedPort[];
};

const NO_PREFIXES: readonly Prefix[] = [];

/** Something that a rule asks of all members that one selector matches. */
interface Output {
  /** Others may take their place. */
  readonly elementsOfParts: readonly LiveElements[];
  load(members: readonly LiveMember[]): void;
  change(before: LiveMember | undefined, after: LiveMember | undefined): void;
}

type Selected = { readonly selector: Selector; readonly outputs: Map<string, Output> };

export type LiveSelectionsHooks = {
  readonly onChange: (elements: LiveElements) => void;
  /** Other parts took the place of these elements. */
  readonly onReplaced: (before: LiveElements) => void;
  /** Other parts are beside them now, or look-ups that they are part of are made for another size. */
  readonly onResized: (elements: LiveElements) => void;
  /** Whether these are a set of their own, beside the look-ups that they are part of. */
  readonly isNamed: (elements: LiveElements) => boolean;
  /** As in CompileOptions. */
  readonly fewestBlocks?: number | undefined;
};

export class LiveSelections implements Selections {
  readonly #hooks: LiveSelectionsHooks;
  readonly #members = new LabelIndex<LiveMember>();
  readonly #selectors = new SelectorIndex<Selected>();
  readonly #selected = new Map<string, Selected>();
  readonly #releases = new WeakMap<LiveElements, () => void>();

  constructor(hooks: LiveSelectionsHooks) {
    this.#hooks = hooks;
  }

  /** A member comes (`before` undefined), goes (`after` undefined) or changes. */
  change(before: LiveMember | undefined, after: LiveMember | undefined): void {
    const concerned = new Set<Selected>();
    for (const one of [before, after]) {
      if (one === undefined) continue;
      for (const selected of this.#selectors.candidates(one.labels)) concerned.add(selected);
    }
    if (before !== undefined) this.#members.delete(before);
    if (after !== undefined) this.#members.add(after);
    for (const { selector, outputs } of concerned) {
      const was = before !== undefined && selector.matches(before.labels) ? before : undefined;
      const is = after !== undefined && selector.matches(after.labels) ? after : undefined;
      if (was === undefined && is === undefined) continue;
      for (const output of outputs.values()) output.change(was, is);
    }
  }

  addresses(selector: Selector, family: Family): SelectedAddresses {
    return this.#addresses(selector, family);
  }

  joined(family: Family, claims: readonly CounterClaim[]): LiveElements {
    const parts = claims.map(({ selector, ...claim }) => ({
      ...claim,
      source: this.#addresses(selector, family).onlyElements,
    }));
    const joined = new JoinedElements(parts, this.#hooks.onChange);
    this.#releases.set(joined, () => {
      joined.detach();
      for (const { source } of parts) if (!this.#hooks.isNamed(source)) this.release(source);
    });
    return joined;
  }

  #addresses(selector: Selector, family: Family): AddressOutput {
    return this.#output(
      selector,
      `addresses${family}`,
      () => new AddressOutput(family, this.#hooks),
    );
  }

  namedPorts(request: NamedPortRequest): NamedSet['elements'] {
    const { name, protocol, family } = request;
    const key = `port${family} ${protocol} ${name}`;
    const make = (): PortOutput => new PortOutput(request, this.#hooks.onChange);
    return this.#output(request.selector ?? allOf([]), key, make).elements;
  }

  /** They are no set any more: unless look-ups are made of them, they are not kept up to date from now on. */
  release(elements: LiveElements): void {
    if (elements.watchers.size > 0) return;
    this.#releases.get(elements)?.();
  }

  #output<T extends Output>(selector: Selector, key: string, make: () => T): T {
    const selected = this.#selectedBy(selector);
    let output = selected.outputs.get(key) as T | undefined;
    if (output === undefined) {
      output = make();
      output.load(this.#members.matching(selector));
      selected.outputs.set(key, output);
    }
    const { isNamed } = this.#hooks;
    for (const elements of output.elementsOfParts) {
      this.#releases.set(elements, () => {
        // Others of them, also those that took their place, may be in use.
        const isInUse = output.elementsOfParts.some((one) => isNamed(one) || one.watchers.size > 0);
        if (!isInUse) this.#drop(selected, key);
      });
    }
    return output;
  }

  #selectedBy(selector: Selector): Selected {
    const known = this.#selected.get(selector.canonical);
    if (known !== undefined) return known;
    const selected = { selector, outputs: new Map<string, Output>() };
    this.#selected.set(selector.canonical, selected);
    this.#selectors.add(selected);
    return selected;
  }

  #drop(selected: Selected, key: string): void {
    selected.outputs.delete(key);
    if (selected.outputs.size > 0) return;
    this.#selected.delete(selected.selector.canonical);
    this.#selectors.delete(selected);
  }
}

class AddressOutput implements Output, SelectedAddresses {
  readonly #family: Family;
  readonly #addresses: AddressElements;
  readonly #hooks: LiveSelectionsHooks;

  constructor(family: Family, hooks: LiveSelectionsHooks) {
    this.#family = family;
    this.#addresses = new AddressElements(family, hooks);
    this.#hooks = hooks;
  }

  get parts(): AddressElements['parts'] {
    return this.#addresses.parts;
  }

  get elementsOfParts(): readonly LiveElements[] {
    return this.parts.map(({ elements }) => elements);
  }

  /** Where `room` says that they can be part of a look-up. */
  get onlyElements(): LiveElements {
    const [only, ...more] = this.elementsOfParts;
    if (only === undefined || more.length > 0) throw new TypeError('There is more than one part');
    return only;
  }

  get room(): number | undefined {
    return this.#addresses.room;
  }

  load(members: readonly LiveMember[]): void {
    const prefixes = members.flatMap((member) => this.#own(member.prefixes));
    this.#addresses.change([], prefixes);
  }

  change(before: LiveMember | undefined, after: LiveMember | undefined): void {
    const { elementsOfParts: known, parts, room } = this;
    const { removed, added } = listChanges(
      before?.prefixes ?? NO_PREFIXES,
      after?.prefixes ?? NO_PREFIXES,
    );
    this.#addresses.change(this.#own(removed), this.#own(added));
    if (this.parts === parts && this.room === room) return;
    for (const elements of known) {
      if (this.elementsOfParts.includes(elements)) this.#hooks.onResized(elements);
      else this.#hooks.onReplaced(elements);
    }
  }

  #own(prefixes: readonly Prefix[]): readonly Prefix[] {
    return prefixes.filter(({ family }) => family === this.#family);
  }
}

class PortOutput implements Output {
  readonly #request: NamedPortRequest;
  readonly elements: LiveElements;

  constructor(request: NamedPortRequest, onChange: (elements: LiveElements) => void) {
    this.#request = request;
    this.elements = new LiveElements(onChange);
  }

  get elementsOfParts(): readonly LiveElements[] {
    return [this.elements];
  }

  load(members: readonly LiveMember[]): void {
    for (const member of members) this.change(undefined, member);
  }

  change(before: LiveMember | undefined, after: LiveMember | undefined): void {
    if (before !== undefined) {
      for (const element of portElements(before, this.#request)) this.elements.release(element);
    }
    if (after === undefined) return;
    for (const element of portElements(after, this.#request)) this.elements.add(element);
  }
}
