// What would have to be different about labels for a selector to match.
import { type Expression, type Labels, Selector } from '@calico/selector';
import {
  NAMESPACE_LABEL,
  NAMESPACE_PREFIX,
  SERVICE_ACCOUNT_LABEL,
  SERVICE_ACCOUNT_PREFIX,
} from '../meaning/labels.ts';

type Change = {
  readonly label: string;
  readonly becomes: 'one of' | 'none of' | 'present' | 'absent' | 'containing';
  readonly values: readonly string[];
};

/** Ways to make a selector match that are looked at; a person reads one. */
const MOST_WAYS = 32;

/**
 * The fewest changes to the labels of `name` that make the selector match, a sentence each ("label role of
 * default/client were 'frontend'"); undefined: none was found. With `wanted` false: that make it not match.
 */
export function remedies(
  expression: Expression,
  labels: Labels,
  name: string,
  wanted = true,
): readonly string[] | undefined {
  const selector = new Selector(expression);
  const [best] = waysTo(expression, labels, wanted)
    .filter((changes) => selector.matches(changed(labels, changes)) === wanted)
    .toSorted((a, b) => a.length - b.length);
  return best && [...new Set(best.map((change) => sentence(change, name)))];
}

/** Each of them may do; together its changes may contradict each other. */
function waysTo(expression: Expression, labels: Labels, wanted: boolean): Change[][] {
  if (new Selector(expression).matches(labels) === wanted) return [[]];
  switch (expression.kind) {
    case 'all':
    case 'global':
      return [];
    case 'not':
      return waysTo(expression.operand, labels, !wanted);
    case 'and':
    case 'or': {
      const each = expression.operands.map((operand) => waysTo(operand, labels, wanted));
      // Not all of them is any of them not.
      const isJoint = (expression.kind === 'and') === wanted;
      return (isJoint ? combinations(each) : each.flat()).slice(0, MOST_WAYS);
    }
    case 'has': {
      const { label } = expression;
      return [[{ label, becomes: wanted ? 'present' : 'absent', values: [] }]];
    }
    case 'compare': {
      const { label, operator, value } = expression;
      if (operator === '==' || operator === '!=') {
        const becomes = (operator === '==') === wanted ? 'one of' : 'none of';
        return [[{ label, becomes, values: [value] }]];
      }
      if (wanted) return [[{ label, becomes: 'containing', values: [value] }]];
      return [[{ label, becomes: 'absent', values: [] }]];
    }
    case 'in': {
      const { label, values, negated } = expression;
      return [[{ label, becomes: negated === wanted ? 'none of' : 'one of', values }]];
    }
    default:
      return expression satisfies never;
  }
}

function combinations(each: readonly Change[][][]): Change[][] {
  return each.reduce<Change[][]>(
    (ways, more) => ways.flatMap((way) => more.map((one) => [...way, ...one])).slice(0, MOST_WAYS),
    [[]],
  );
}

function changed(labels: Labels, changes: readonly Change[]): Labels {
  const result: Record<string, string> = { ...labels };
  for (const { label, becomes, values } of changes) {
    if (becomes === 'absent') delete result[label];
    else if (becomes === 'none of') result[label] = `not ${values.join()}`;
    else if (becomes === 'present') result[label] ??= 'any';
    else result[label] = values[0] ?? '';
  }
  return result;
}

function sentence({ label, becomes, values }: Change, name: string): string {
  const list = values.map((value) => `'${value}'`).join(' or ');
  const isNamespace = label === NAMESPACE_LABEL;
  const [property, owner] = subject(label, name);
  switch (becomes) {
    case 'one of':
      return isNamespace ? `${name} were in namespace ${list}` : `${property} were ${list}`;
    case 'none of':
      return isNamespace ? `${name} were not in namespace ${list}` : `${property} were not ${list}`;
    case 'containing':
      return `${property} contained ${list}`;
    case 'present':
      return isNamespace ? `${name} were in a namespace` : `${owner[0]} had ${owner[1]}`;
    case 'absent':
      return isNamespace ? `${name} were in no namespace` : `${owner[0]} did not have ${owner[1]}`;
    default:
      return becomes satisfies never;
  }
}

/** What a label is called: with its owner; and its owner and it apart. */
function subject(label: string, name: string): [string, [string, string]] {
  if (label === SERVICE_ACCOUNT_LABEL) {
    return [`the service account of ${name}`, [name, 'a service account']];
  }
  for (const [prefix, noun] of INHERITED) {
    if (!label.startsWith(prefix)) continue;
    const own = `label ${label.slice(prefix.length)}`;
    return [`${own} of the ${noun} of ${name}`, [`the ${noun} of ${name}`, own]];
  }
  return [`label ${label} of ${name}`, [name, `label ${label}`]];
}

const INHERITED = [
  [NAMESPACE_PREFIX, 'namespace'],
  [SERVICE_ACCOUNT_PREFIX, 'service account'],
] as const;

/** The labels that a selector looks at. */
export function labelsIn(expression: Expression): ReadonlySet<string> {
  switch (expression.kind) {
    case 'all':
    case 'global':
      return new Set();
    case 'not':
      return labelsIn(expression.operand);
    case 'and':
    case 'or':
      return new Set(expression.operands.flatMap((operand) => [...labelsIn(operand)]));
    case 'has':
    case 'compare':
    case 'in':
      return new Set([expression.label]);
    default:
      return expression satisfies never;
  }
}
