import { canonicalText, type Expression, evaluate, type Labels } from './expression.ts';
import { parseExpression } from './parser.ts';
import { type Restrictions, restrictionsOf } from './restrictions.ts';
import { sha224 } from './sha2.ts';

/** A parsed selector. Immutable; what is derived from the tree is computed once, when asked for. */
export class Selector {
  readonly expression: Expression;
  #canonical: string | undefined;
  #uniqueId: string | undefined;
  #restrictions: Restrictions | undefined;

  constructor(expression: Expression) {
    this.expression = expression;
  }

  /** Whether an object with these labels is selected. */
  matches(labels: Labels): boolean {
    return evaluate(this.expression, labels);
  }

  /** Equal for texts that mean the same tree; parsing it gives this selector again. */
  get canonical(): string {
    this.#canonical ??= canonicalText(this.expression);
    return this.#canonical;
  }

  /** "s:" and base64url (no padding) of SHA-224 of "s:" and the canonical text: 40 characters. */
  get uniqueId(): string {
    this.#uniqueId ??= `s:${base64Url(sha224(new TextEncoder().encode(`s:${this.canonical}`)))}`;
    return this.#uniqueId;
  }

  /** Per label what an object must have to be selected. */
  get restrictions(): Restrictions {
    this.#restrictions ??= restrictionsOf(this.expression);
    return this.#restrictions;
  }
}

/** The selector that `text` describes; empty text selects all. Throws SelectorError with a position. */
export function parseSelector(text: string): Selector {
  return new Selector(parseExpression(text));
}

/** Selects what every one of `selectors` selects; of none: all(). */
export function allOf(selectors: readonly Selector[]): Selector {
  const operands = selectors
    .map(({ expression }) => expression)
    .filter((expression) => expression.kind !== 'all');
  const [first] = operands;
  if (first === undefined) return new Selector({ kind: 'all' });
  return new Selector(operands.length === 1 ? first : { kind: 'and', operands });
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function base64Url(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const left = Math.min(3, bytes.length - at);
    const bits = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (let i = 0; i <= left; i++) text += ALPHABET.charAt((bits >> (18 - 6 * i)) & 63);
  }
  return text;
}
