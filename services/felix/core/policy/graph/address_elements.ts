// The elements of one address set, part by part, kept up to date as prefixes come and go.
import { addressBits, type Family, type Prefix } from '@calico/ip';
import { blocksIn, isNet, prefixText } from '../compiler/set_builder.ts';
import { blockLength, type Form, formsOf, roomFor } from '../compiler/set_form.ts';
import { CoveredRanges } from './covered_ranges.ts';
import { LiveElements } from './live_elements.ts';

export interface AddressSetPart {
  readonly form: Form;
  readonly elements: LiveElements;
  /** Of a new part, or of ranges when others take or leave a share: all its prefixes. */
  fill(prefixes: readonly Prefix[]): void;
  /** Prefixes that come are none of those that it has; those that go are. */
  change(gone: readonly Prefix[], come: readonly Prefix[]): void;
}

export type AddressElementsSettings = {
  readonly onChange: (elements: LiveElements) => void;
  readonly fewestBlocks?: number | undefined;
};

type Counted = { readonly prefix: Prefix; count: number };

export class AddressElements {
  readonly #family: Family;
  readonly #settings: AddressElementsSettings;
  readonly #counts = new Map<string, Counted>();
  /** Distinct prefixes: how many by the blocks that they can be made of, and how many of all are nets. */
  readonly #byBlock = new Map<Form, number>();
  #nets = 0;
  #parts: readonly AddressSetPart[];

  constructor(family: Family, settings: AddressElementsSettings) {
    this.#family = family;
    this.#settings = settings;
    this.#parts = [this.#make(addressBits(family))];
  }

  /** Another list when there are other parts. */
  get parts(): readonly AddressSetPart[] {
    return this.#parts;
  }

  /** How many elements a look-up has to expect of the only part. */
  get room(): number | undefined {
    return roomFor({ nets: this.#nets, byBlock: this.#byBlock });
  }

  change(removed: readonly Prefix[], added: readonly Prefix[]): void {
    const gone = removed.filter((prefix) => this.#discount(prefix));
    const come = added.filter((prefix) => this.#count(prefix));
    // What went and came again has stayed.
    const wasHere = new Set(gone.map(prefixText));
    const isNew = come.filter((prefix) => !wasHere.has(prefixText(prefix)));
    const isOld = gone.filter((prefix) => !this.#counts.has(prefixText(prefix)));
    const content = { nets: this.#nets, byBlock: this.#byBlock };
    const forms = formsOf(this.#family, content, this.#settings.fewestBlocks);
    const known = this.#parts;
    const isSame = forms.join() === known.map(({ form }) => form).join();
    if (!isSame) {
      this.#parts = forms.map((form) => known.find((one) => one.form === form) ?? this.#make(form));
    }
    const concerns = (part: AddressSetPart, prefix: Prefix): boolean => {
      const form = blockLength(prefix);
      return part.form === (forms.includes(form) ? form : 'ranges');
    };
    for (const part of this.#parts) {
      // What is left over for the ranges depends on the other parts.
      const isFilled = known.includes(part) && (isSame || part.form !== 'ranges');
      if (isFilled) {
        part.change(
          isOld.filter((prefix) => concerns(part, prefix)),
          isNew.filter((prefix) => concerns(part, prefix)),
        );
      } else {
        const all = this.#counts.values().map(({ prefix }) => prefix);
        part.fill(all.filter((prefix) => concerns(part, prefix)).toArray());
      }
    }
  }

  /** True when it is new. */
  #count(prefix: Prefix): boolean {
    if (prefix.family !== this.#family) return false;
    const text = prefixText(prefix);
    const known = this.#counts.get(text);
    if (known !== undefined) known.count++;
    else {
      this.#counts.set(text, { prefix, count: 1 });
      this.#weigh(prefix, 1);
    }
    return known === undefined;
  }

  /** True when it was the last. */
  #discount(prefix: Prefix): boolean {
    if (prefix.family !== this.#family) return false;
    const text = prefixText(prefix);
    const known = this.#counts.get(text);
    if (known === undefined || --known.count > 0) return false;
    this.#counts.delete(text);
    this.#weigh(prefix, -1);
    return true;
  }

  #weigh(prefix: Prefix, sign: 1 | -1): void {
    if (isNet(prefix)) this.#nets += sign;
    const block = blockLength(prefix);
    const count = (this.#byBlock.get(block) ?? 0) + sign;
    if (count > 0) this.#byBlock.set(block, count);
    else this.#byBlock.delete(block);
  }

  #make(form: Form): AddressSetPart {
    const elements = new LiveElements(this.#settings.onChange);
    return form === 'ranges'
      ? new CoveredRanges(this.#family, elements)
      : new Blocks(form, elements);
  }
}

/** Prefixes may overlap: a block stays as long as one of them has it. */
class Blocks implements AddressSetPart {
  readonly form: number;
  readonly elements: LiveElements;

  constructor(length: number, elements: LiveElements) {
    this.form = length;
    this.elements = elements;
  }

  fill(prefixes: readonly Prefix[]): void {
    this.change([], prefixes);
  }

  change(gone: readonly Prefix[], come: readonly Prefix[]): void {
    for (const prefix of come) {
      for (const block of blocksIn(prefix, this.form)) this.elements.add(block);
    }
    for (const prefix of gone) {
      for (const block of blocksIn(prefix, this.form)) this.elements.release(block);
    }
  }
}
