// Selector text to tokens. Whether a word is a label or an operator depends on the token before it,
// so every keyword is also a label name: `contains contains "x"`.

/** The text is not a selector. `position` counts characters from 0. */
export class SelectorError extends Error {
  override name = 'SelectorError';
  readonly position: number;

  constructor(text: string, position: number, problem: string) {
    const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
    super(`Cannot parse selector "${shown}" at position ${position}: ${problem}`);
    this.position = position;
  }
}

export type Symbol = '(' | ')' | '{' | '}' | ',' | '==' | '!=' | '!' | '&&' | '||';
export type Operator = 'contains' | 'starts with' | 'ends with' | 'in' | 'not in';

export type Token = { readonly position: number } & (
  | { readonly kind: 'symbol'; readonly symbol: Symbol }
  | { readonly kind: 'operator'; readonly operator: Operator }
  | { readonly kind: 'label'; readonly label: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'has'; readonly label: string }
  | { readonly kind: 'all' | 'global' | 'end' }
);

const SYMBOLS: readonly Symbol[] = ['(', ')', '{', '}', ',', '==', '!=', '!', '&&', '||'];
const SPACE = /[ \t]*/y;
const LABEL = /[A-Za-z0-9_./-]+/y;
const HAS = /has\([ \t]*([A-Za-z0-9_./-]+)[ \t]*\)/y;
const NULLARY = /(all|global)\([ \t]*\)/y;
const OPERATORS: readonly (readonly [RegExp, Operator])[] = [
  [/contains/y, 'contains'],
  [/starts[ \t]*with/y, 'starts with'],
  [/ends[ \t]*with/y, 'ends with'],
  [/not[ \t]*in\b/y, 'not in'],
  [/in\b/y, 'in'],
];
const MAX_LABEL_LENGTH = 512;

/** Tokens of `text`, the last of kind `end`. Throws SelectorError. */
export function tokenize(text: string): Token[] {
  return new Tokenizer(text).run();
}

class Tokenizer {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): Token[] {
    const tokens: Token[] = [];
    for (;;) {
      this.#match(SPACE);
      const token = this.#next(tokens.at(-1));
      tokens.push(token);
      if (token.kind === 'end') return tokens;
    }
  }

  #next(previous: Token | undefined): Token {
    const position = this.#position;
    if (position >= this.#text.length) return { kind: 'end', position };
    const symbol = SYMBOLS.find((known) => this.#text.startsWith(known, position));
    if (symbol !== undefined) {
      this.#position += symbol.length;
      return { kind: 'symbol', symbol, position };
    }
    const first = this.#text.charAt(position);
    if (first === '"' || first === "'") return this.#string(first);
    return previous?.kind === 'label' ? this.#operator() : this.#word();
  }

  #string(quote: string): Token {
    const position = this.#position;
    const end = this.#text.indexOf(quote, position + 1);
    if (end < 0) throw this.#error(`string has no closing ${quote}`);
    this.#position = end + 1;
    return { kind: 'string', value: this.#text.slice(position + 1, end), position };
  }

  #operator(): Token {
    const position = this.#position;
    for (const [pattern, operator] of OPERATORS) {
      if (this.#match(pattern)) return { kind: 'operator', operator, position };
    }
    throw this.#error(
      'an operator must follow the label: ==, !=, in, not in, contains, starts with or ends with',
    );
  }

  #word(): Token {
    const position = this.#position;
    const has = this.#match(HAS);
    if (has?.[1] !== undefined)
      return { kind: 'has', label: this.#label(has[1], position), position };
    const nullary = this.#match(NULLARY);
    if (nullary) return { kind: nullary[1] === 'all' ? 'all' : 'global', position };
    const label = this.#match(LABEL);
    if (label) return { kind: 'label', label: this.#label(label[0], position), position };
    throw this.#error(`unexpected character ${JSON.stringify(this.#text.charAt(position))}`);
  }

  #label(label: string, position: number): string {
    if (label.length <= MAX_LABEL_LENGTH) return label;
    const problem = `label is longer than ${MAX_LABEL_LENGTH} characters`;
    throw new SelectorError(this.#text, position, problem);
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#text);
    if (found) this.#position += found[0].length;
    return found;
  }

  #error(problem: string): SelectorError {
    return new SelectorError(this.#text, this.#position, problem);
  }
}
