// Recursive descent over the grammar
//   or      := and ("||" and)*
//   and     := unary ("&&" unary)*
//   unary   := "!"* primary
//   primary := "(" or ")" | has(label) | all() | global() | label operator literal
import { depthOf, type Expression, negate, sortedSet } from './expression.ts';
import { SelectorError, type Symbol, type Token, tokenize } from './tokenizer.ts';

/** Bounds the recursion here and in everything that walks a tree. */
const MAX_DEPTH = 256;

/** The tree of a selector's text; empty text is all(). Throws SelectorError and nothing else. */
export function parseExpression(text: string): Expression {
  return new Parser(text).parse();
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #index = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenize(text);
  }

  parse(): Expression {
    if (this.#token().kind === 'end') return { kind: 'all' };
    const expression = this.#list('or', '||');
    if (this.#token().kind !== 'end') throw this.#error('expected &&, || or the end');
    // The canonical text has one pair of parentheses per list: it must not exceed the same bound.
    if (depthOf(expression) > MAX_DEPTH) throw this.#tooDeep();
    return expression;
  }

  #list(kind: 'and' | 'or', separator: '&&' | '||'): Expression {
    const operands = [this.#operand(kind)];
    while (this.#take(separator)) operands.push(this.#operand(kind));
    const [only] = operands;
    return operands.length === 1 && only !== undefined ? only : { kind, operands };
  }

  #operand(kind: 'and' | 'or'): Expression {
    return kind === 'or' ? this.#list('and', '&&') : this.#unary();
  }

  #unary(): Expression {
    let negated = false;
    while (this.#take('!')) negated = !negated;
    const operand = this.#primary();
    return negated ? negate(operand) : operand;
  }

  #primary(): Expression {
    if (this.#take('(')) return this.#parenthesised();
    const token = this.#token();
    this.#index++;
    if (token.kind === 'has') return { kind: 'has', label: token.label };
    if (token.kind === 'all' || token.kind === 'global') return { kind: token.kind };
    if (token.kind === 'label') return this.#comparison(token.label);
    this.#index--;
    throw this.#error('expected a label, has(label), all(), global() or (');
  }

  #parenthesised(): Expression {
    this.#depth++;
    if (this.#depth > MAX_DEPTH) throw this.#tooDeep();
    const expression = this.#list('or', '||');
    if (!this.#take(')')) throw this.#error('expected )');
    this.#depth--;
    return expression;
  }

  #comparison(label: string): Expression {
    const token = this.#token();
    if (this.#take('==')) return { kind: 'compare', label, operator: '==', value: this.#string() };
    if (this.#take('!=')) return { kind: 'compare', label, operator: '!=', value: this.#string() };
    if (token.kind !== 'operator') throw this.#error('expected an operator after the label');
    this.#index++;
    const { operator } = token;
    if (operator === 'in' || operator === 'not in') {
      return { kind: 'in', label, negated: operator === 'not in', values: this.#set() };
    }
    return { kind: 'compare', label, operator, value: this.#string() };
  }

  #string(): string {
    const token = this.#token();
    if (token.kind !== 'string') throw this.#error('expected a quoted string');
    this.#index++;
    return token.value;
  }

  #set(): string[] {
    if (!this.#take('{')) throw this.#error('expected {');
    const values: string[] = [];
    if (this.#take('}')) return values;
    do {
      values.push(this.#string());
    } while (this.#take(','));
    if (!this.#take('}')) throw this.#error('expected , or }');
    return sortedSet(values);
  }

  #token(): Token {
    return this.#tokens[this.#index] ?? { kind: 'end', position: this.#text.length };
  }

  #take(symbol: Symbol): boolean {
    const token = this.#token();
    const isWanted = token.kind === 'symbol' && token.symbol === symbol;
    if (isWanted) this.#index++;
    return isWanted;
  }

  #error(problem: string): SelectorError {
    return new SelectorError(this.#text, this.#token().position, problem);
  }

  #tooDeep(): SelectorError {
    return this.#error(`nested deeper than ${MAX_DEPTH} levels`);
  }
}
