// What a selector's text means: a tree. All functions here recurse; the parser bounds the depth.

export type Labels = Readonly<Record<string, string>>;

export type Expression =
  | { readonly kind: 'all' }
  /** `global()`: stands for "outside of any namespace" in a namespaceSelector, else matches all. */
  | { readonly kind: 'global' }
  | { readonly kind: 'has'; readonly label: string }
  | {
      readonly kind: 'compare';
      readonly label: string;
      readonly operator: Comparison;
      readonly value: string;
    }
  /** `values` are sorted by code point and distinct. */
  | {
      readonly kind: 'in';
      readonly label: string;
      readonly negated: boolean;
      readonly values: readonly string[];
    }
  | { readonly kind: 'not'; readonly operand: Expression }
  /** At least two operands. */
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Expression[] };

export type Comparison = '==' | '!=' | 'contains' | 'starts with' | 'ends with';

/** Whether an object with these labels is selected. A missing label satisfies `!=` and `not in` only. */
export function evaluate(expression: Expression, labels: Labels): boolean {
  switch (expression.kind) {
    case 'all':
    case 'global':
      return true;
    case 'has':
      return Object.hasOwn(labels, expression.label);
    case 'compare':
      return compare(expression.operator, valueOf(labels, expression.label), expression.value);
    case 'in': {
      const value = valueOf(labels, expression.label);
      if (value === undefined) return expression.negated;
      return expression.values.includes(value) !== expression.negated;
    }
    case 'not':
      return !evaluate(expression.operand, labels);
    case 'and':
      return expression.operands.every((operand) => evaluate(operand, labels));
    case 'or':
      return expression.operands.some((operand) => evaluate(operand, labels));
    default:
      return expression satisfies never;
  }
}

// hasOwn: "constructor" and "toString" are valid label names.
function valueOf(labels: Labels, label: string): string | undefined {
  return Object.hasOwn(labels, label) ? labels[label] : undefined;
}

function compare(operator: Comparison, found: string | undefined, wanted: string): boolean {
  if (found === undefined) return operator === '!=';
  switch (operator) {
    case '==':
      return found === wanted;
    case '!=':
      return found !== wanted;
    case 'contains':
      return found.includes(wanted);
    case 'starts with':
      return found.startsWith(wanted);
    case 'ends with':
      return found.endsWith(wanted);
    default:
      return operator satisfies never;
  }
}

/** The one text for all ways to write the same tree. Parsing it gives the same tree again. */
export function canonicalText(expression: Expression): string {
  switch (expression.kind) {
    case 'all':
      return 'all()';
    case 'global':
      return 'global()';
    case 'has':
      return `has(${expression.label})`;
    case 'compare':
      return `${expression.label} ${expression.operator} ${quote(expression.value)}`;
    case 'in': {
      const operator = expression.negated ? 'not in' : 'in';
      return `${expression.label} ${operator} {${expression.values.map(quote).join(', ')}}`;
    }
    case 'not':
      return `!${canonicalText(expression.operand)}`;
    case 'and':
      return `(${expression.operands.map(canonicalText).join(' && ')})`;
    case 'or':
      return `(${expression.operands.map(canonicalText).join(' || ')})`;
    default:
      return expression satisfies never;
  }
}

// The language has no escapes, so a value never holds both kinds of quotes.
function quote(value: string): string {
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}

/** The same tree over labels with `prefix` in front, as for labels inherited from a namespace. */
export function prefixLabels(expression: Expression, prefix: string): Expression {
  switch (expression.kind) {
    case 'all':
    case 'global':
      return expression;
    case 'has':
    case 'compare':
    case 'in':
      return { ...expression, label: prefix + expression.label };
    case 'not':
      return { kind: 'not', operand: prefixLabels(expression.operand, prefix) };
    case 'and':
    case 'or': {
      const operands = expression.operands.map((operand) => prefixLabels(operand, prefix));
      return { kind: expression.kind, operands };
    }
    default:
      return expression satisfies never;
  }
}

/** Negation without double negation: `!` before `!` cancels out. */
export function negate(expression: Expression): Expression {
  return expression.kind === 'not' ? expression.operand : { kind: 'not', operand: expression };
}

/** How deeply lists and negations nest; 1 for a single comparison. */
export function depthOf(expression: Expression): number {
  switch (expression.kind) {
    case 'not':
      return 1 + depthOf(expression.operand);
    case 'and':
    case 'or':
      return expression.operands.reduce(
        (depth, operand) => Math.max(depth, 1 + depthOf(operand)),
        1,
      );
    case 'all':
    case 'global':
    case 'has':
    case 'compare':
    case 'in':
      return 1;
    default:
      return expression satisfies never;
  }
}

/** Sorted by code point, as Go sorts strings, and without duplicates. */
export function sortedSet(values: readonly string[]): string[] {
  return [...new Set(values)].toSorted(compareCodePoints);
}

function compareCodePoints(a: string, b: string): number {
  const left = Array.from(a, codePoint);
  const right = Array.from(b, codePoint);
  const at = left.findIndex((point, index) => point !== right[index]);
  if (at < 0) return left.length - right.length;
  return (left[at] ?? 0) - (right[at] ?? -1);
}

function codePoint(char: string): number {
  return char.codePointAt(0) ?? 0;
}
