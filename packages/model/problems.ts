// Turns what zod reports into problems that say what would be accepted.
import type * as z from 'zod';
import type { Problem } from './validation_error.ts';

type Issue = z.core.$ZodIssue;

/** @param known the fields that an object at a path may have, for suggestions */
export function problemsOf(
  issues: readonly Issue[],
  prefix: readonly PropertyKey[],
  known: (path: readonly PropertyKey[]) => readonly string[],
): Problem[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        field: fieldText([...path, key]),
        value: undefined,
        message: unknownField(key, known(issue.path)),
      }));
    }
    return [{ field: fieldText(path), value: issue.input, message: messageOf(issue) }];
  });
}

/** "spec.ingress[0].action" */
function fieldText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const name = String(part);
    if (!/^[A-Za-z_][\w-]*$/.test(name)) return `${text}[${JSON.stringify(name)}]`;
    return text === '' ? name : `${text}.${name}`;
  }, '');
}

/** All fields are named but for those of FelixConfiguration, whose list would bury the message. */
const MOST_NAMED = 40;

export function unknownField(name: string, known: readonly string[]): string {
  const nearest = nearestOf(name, known);
  if (nearest !== undefined) return `is not a known field; did you mean "${nearest}"?`;
  return known.length === 0 || known.length > MOST_NAMED
    ? 'is not a known field'
    : `is not a known field; expected ${known.join(', ')}`;
}

/** The candidate that differs least from the name, if it is similar enough. */
export function nearestOf(name: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({
      candidate,
      distance: editDistance(name.toLowerCase(), candidate.toLowerCase()),
    }))
    .toSorted((a, b) => a.distance - b.distance);
  const [best] = ranked;
  const limit = Math.max(2, Math.floor(name.length / 3));
  return best !== undefined && best.distance <= limit ? best.candidate : undefined;
}

function messageOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is required';
      // A field that knows better what it accepts says so.
      return issue.message.startsWith('expected ')
        ? issue.message
        : `expected ${typeText(issue.expected)}`;
    case 'invalid_value':
      return issue.input === undefined
        ? `is required: expected ${choice(issue.values)}`
        : `expected ${choice(issue.values)}`;
    case 'too_big':
      return `expected at most ${issue.maximum}${unitText(issue.origin, issue.maximum)}`;
    case 'too_small':
      return `expected at least ${issue.minimum}${unitText(issue.origin, issue.minimum)}`;
    case 'invalid_format':
      return `expected text that matches ${issue.pattern ?? issue.format}`;
    case 'invalid_union':
      return unionText(issue);
    case 'custom':
    case 'invalid_element':
    case 'invalid_key':
    case 'not_multiple_of':
    case 'unrecognized_keys':
    default:
      return issue.message;
  }
}

function unionText(issue: Extract<Issue, { code: 'invalid_union' }>): string {
  const texts = issue.errors.flatMap((branch) => branch.slice(0, 1).map(messageOf));
  const accepted = texts.map((text) => text.replace(/^expected /, ''));
  return `expected ${[...new Set(accepted)].join(' or ')}`;
}

function choice(values: readonly unknown[]): string {
  const texts = values.map((value) => JSON.stringify(value));
  return texts.length < 2 ? texts.join() : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`;
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
  array: 'a list',
  object: 'an object with fields',
  record: 'an object with fields',
};

function typeText(expected: string): string {
  return TYPES[expected] ?? expected;
}

function unitText(origin: string, count: number | bigint): string {
  if (origin === 'array') return Number(count) === 1 ? ' entry' : ' entries';
  if (origin !== 'string') return '';
  return Number(count) === 1 ? ' character' : ' characters';
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous.at(-1) ?? 0;
}
