import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Expression, type Labels, sortedSet } from './expression.ts';
import { allOf, parseSelector, Selector } from './selector.ts';
import { SelectorError } from './tokenizer.ts';

const CANONICAL: readonly (readonly [string, string])[] = [
  ['', 'all()'],
  [' \t', 'all()'],
  ['all( )', 'all()'],
  ['global()', 'global()'],
  ["a == 'b'", 'a == "b"'],
  ['a=="b"', 'a == "b"'],
  [`a == 'say "x"'`, `a == 'say "x"'`],
  ["a != ''", 'a != ""'],
  ['has( a/b.c-d_e )', 'has(a/b.c-d_e)'],
  ["a in {'c', 'b','c'}", 'a in {"b", "c"}'],
  ['a in{}', 'a in {}'],
  ["a notin {'x'}", 'a not in {"x"}'],
  ["a not\tin {'x'}", 'a not in {"x"}'],
  ["a startswith 'x'", 'a starts with "x"'],
  ["a ends  with 'x'", 'a ends with "x"'],
  ["contains contains 'x'", 'contains contains "x"'],
  ["in in {'x'}", 'in in {"x"}'],
  ["has == 'x' && all == 'y'", '(has == "x" && all == "y")'],
  ['has(a) || has(b) && has(c)', '(has(a) || (has(b) && has(c)))'],
  ['((has(a)))', 'has(a)'],
  ['!(has(a) && has(b))', '!(has(a) && has(b))'],
  ['!!has(a)', 'has(a)'],
  ['!(!has(a))', 'has(a)'],
  ['! ! ! has(a)', '!has(a)'],
  ['has(a) && (has(b) && has(c))', '(has(a) && (has(b) && has(c)))'],
];

test('canonical is the one text of a tree', () => {
  for (const [text, canonical] of CANONICAL) {
    assert.equal(parseSelector(text).canonical, canonical, text);
    assert.equal(parseSelector(canonical).canonical, canonical);
  }
});

const INVALID: readonly (readonly [string, number])[] = [
  ['a', 1],
  ['a =', 2],
  ['a == b', 5],
  ["a == 'b", 5],
  ["a == 'b' c", 9],
  ['a in', 4],
  ["a in {'b'", 9],
  ["a in {'b',}", 10],
  ['(has(a)', 7],
  ['has(a))', 6],
  ['has(a) &&', 9],
  ['&& has(a)', 0],
  ['has (a)', 4],
  ['has()', 3],
  ['!', 1],
  ["$ == 'x'", 0],
  ["a contains in {'x'}", 11],
  [`${'x'.repeat(513)} == 'a'`, 0],
];

test('parseSelector() names the position of what it cannot read', () => {
  for (const [text, position] of INVALID) {
    assert.throws(
      () => parseSelector(text),
      (error) => error instanceof SelectorError && error.position === position,
      text,
    );
  }
  assert.throws(() => parseSelector('a ~ "b"'), {
    message:
      'Cannot parse selector "a ~ "b"" at position 2: an operator must follow the label: ' +
      '==, !=, in, not in, contains, starts with or ends with',
  });
});

const nested = (depth: number): string => `${'('.repeat(depth)}has(a)${')'.repeat(depth)}`;

test('parseSelector() refuses nesting that would exhaust the stack', () => {
  assert.equal(parseSelector(nested(256)).canonical, 'has(a)');
  assert.throws(() => parseSelector(nested(257)), SelectorError);
  assert.throws(() => parseSelector(nested(1_000_000)), SelectorError);
  assert.equal(parseSelector(`${'!'.repeat(1_000_001)}has(a)`).canonical, '!has(a)');
  const wide = Array.from({ length: 200_000 }, () => 'has(a)').join('||');
  assert.equal(parseSelector(wide).matches({ a: '' }), true);
});

const matches = (text: string, given: Labels): boolean => parseSelector(text).matches(given);

test('matches() treats a missing label as != and not in only', () => {
  assert.equal(matches("a != 'x'", {}), true);
  assert.equal(matches("a not in {'x'}", {}), true);
  assert.equal(matches("a == ''", {}), false);
  assert.equal(matches("a contains ''", {}), false);
  assert.equal(matches("a starts with ''", { a: '' }), true);
  assert.equal(matches('has(toString)', {}), false);
  assert.equal(matches("constructor != 'x'", {}), true);
  assert.equal(matches("a in {'x', 'y'} && !has(b)", { a: 'y' }), true);
  assert.equal(matches("a ends with 'c' || a == 'q'", { a: 'abc' }), true);
});

test('uniqueId is stable', () => {
  assert.equal(parseSelector('').uniqueId, parseSelector('all()').uniqueId);
  assert.equal(parseSelector('all()').uniqueId, 's:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug');
  const digest = createHash('sha224').update('s:a == "ö"').digest('base64url');
  assert.equal(parseSelector("a == 'ö'").uniqueId, `s:${digest}`);
});

const restrictionsIn = (text: string): unknown =>
  Object.fromEntries(parseSelector(text).restrictions);

test('restrictions follow AND, OR and NOT', () => {
  const present = { mustBePresent: true, mustBeAbsent: false, mustHaveOneOf: undefined };
  const absent = { mustBePresent: false, mustBeAbsent: true, mustHaveOneOf: undefined };
  assert.deepEqual(restrictionsIn("a == 'x' && has(b)"), {
    a: { ...present, mustHaveOneOf: ['x'] },
    b: present,
  });
  assert.deepEqual(restrictionsIn("a in {'x','y'} && a in {'y','z'}"), {
    a: { ...present, mustHaveOneOf: ['y'] },
  });
  assert.deepEqual(restrictionsIn("a == 'x' || a == 'y'"), {
    a: { ...present, mustHaveOneOf: ['x', 'y'] },
  });
  assert.deepEqual(restrictionsIn("a == 'x' || has(a)"), { a: present });
  assert.deepEqual(restrictionsIn('has(a) || has(b)'), {});
  assert.deepEqual(restrictionsIn('!has(a)'), { a: absent });
  assert.deepEqual(restrictionsIn('has(a) || !has(a)'), {});
  assert.deepEqual(restrictionsIn("!(a == 'x')"), {});
  assert.deepEqual(restrictionsIn("a != 'x' || a not in {'y'}"), {});
  assert.deepEqual(restrictionsIn("a contains 'x' && a starts with 'y'"), { a: present });
});

test('allOf() joins with and, leaving all() out', () => {
  const [a, all] = [parseSelector('has(a)'), parseSelector('')];
  assert.equal(allOf([]).canonical, 'all()');
  assert.equal(allOf([all, a]).canonical, 'has(a)');
  assert.equal(allOf([a, all, a]).canonical, '(has(a) && has(a))');
});

// Property tests: few labels and values, so that selectors often match.
const PLAIN = { noNullPrototype: true } as const;
const label = fc.constantFrom('a', 'b', 'in', 'x/y.z');
const value = fc.constantFrom('', 'p', 'pq', 'q"', "q'", 'ö😀');
const labels = fc.dictionary(label, value);
const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Expression>({ kind: 'all' }, { kind: 'global' }),
    fc.record({ kind: fc.constant('has' as const), label }, PLAIN),
    fc.record(
      {
        kind: fc.constant('compare' as const),
        label,
        operator: fc.constantFrom('==', '!=', 'contains', 'starts with', 'ends with'),
        value,
      },
      PLAIN,
    ),
    fc.record(
      {
        kind: fc.constant('in' as const),
        label,
        negated: fc.boolean(),
        values: fc.array(value, { maxLength: 3 }).map(sortedSet),
      },
      PLAIN,
    ),
    tie('expression').map((operand) =>
      operand.kind === 'not' ? operand : ({ kind: 'not', operand } as const),
    ),
    fc.record(
      {
        kind: fc.constantFrom('and', 'or'),
        operands: fc.array(tie('expression'), { minLength: 2, maxLength: 3 }),
      },
      PLAIN,
    ),
  ),
}));

test('canonical parses to the same tree, for any tree', () => {
  fc.assert(
    fc.property(expression, (tree) => {
      const { canonical } = new Selector(tree);
      const again = parseSelector(canonical);
      assert.deepEqual(again.expression, tree);
      assert.equal(again.canonical, canonical);
    }),
    { numRuns: 1000 },
  );
});

// Independent of evaluate(): works on the canonical text with the host language's own operators.
function naive(text: string, given: Labels): boolean {
  const get = (name: string): string | undefined =>
    Object.entries(given).find(([key]) => key === name)?.[1];
  const words =
    /(\()|(\))|(&&)|(\|\|)|(!(?!=))|all\(\)|global\(\)|has\((.*?)\)|([\w./-]+) (==|!=|contains|starts with|ends with|not in|in) (\{.*?\}(?=$|\)| &| \|)|"[^"]*"|'[^']*')/gu;
  const script = text.replaceAll(
    words,
    (all, open, close, and, or, not, has, name, operator, literal) => {
      if (open ?? close ?? and ?? or ?? not) return all;
      if (has !== undefined) return String(get(has) !== undefined);
      if (name === undefined) return 'true';
      const found = get(name);
      const values = [...String(literal).matchAll(/"([^"]*)"|'([^']*)'/gu)].map(
        (m) => m[1] ?? m[2] ?? '',
      );
      const [first = ''] = values;
      switch (operator) {
        case '==':
          return String(found === first);
        case '!=':
          return String(found !== first);
        case 'contains':
          return String(found !== undefined && found.split(first).length > (first === '' ? -1 : 1));
        case 'starts with':
          return String(found !== undefined && found.slice(0, first.length) === first);
        case 'ends with':
          return String(
            found !== undefined &&
              found.slice(found.length - first.length) === first &&
              found.length >= first.length,
          );
        case 'in':
          return String(values.some((one) => one === found));
        default:
          return String(!values.some((one) => one === found));
      }
    },
  );
  return evaluateBooleans(script);
}

const REWRITES: readonly (readonly [RegExp, (a: string, b: string) => boolean])[] = [
  [/!(true|false)/u, (a) => a === 'false'],
  [/\((true|false)\)/u, (a) => a === 'true'],
  [/(true|false)&&(true|false)/u, (a, b) => a === 'true' && b === 'true'],
  [/(?<=\(|^)(true|false)\|\|(true|false)(?=\)|\||$)/u, (a, b) => a === 'true' || b === 'true'],
];

/** `true`, `false`, !, &&, || and parentheses, by rewriting until one word is left. */
function evaluateBooleans(script: string): boolean {
  let text = script.replaceAll(' ', '');
  for (;;) {
    const rewrite = REWRITES.find(([pattern]) => pattern.test(text));
    if (rewrite === undefined) break;
    const [pattern, result] = rewrite;
    text = text.replace(pattern, (_, a: string, b: string) => String(result(a, b)));
  }
  assert.match(text, /^(true|false)$/u);
  return text === 'true';
}

test('matches() agrees with a naive evaluation of the text', () => {
  const plain = expression.filter((tree) => !JSON.stringify(tree).includes('q'));
  fc.assert(
    fc.property(plain, labels, (tree, given) => {
      const selector = new Selector(tree);
      assert.equal(selector.matches(given), naive(selector.canonical, given), selector.canonical);
    }),
    { numRuns: 2000 },
  );
});

test('what breaks a restriction is never selected', () => {
  fc.assert(
    fc.property(expression, labels, (tree, given) => {
      const selector = new Selector(tree);
      if (!selector.matches(given)) return;
      for (const [name, restriction] of selector.restrictions) {
        const found = Object.hasOwn(given, name) ? given[name] : undefined;
        if (restriction.mustBePresent) assert.notEqual(found, undefined);
        if (restriction.mustBeAbsent) assert.equal(found, undefined);
        if (restriction.mustHaveOneOf) assert.ok(restriction.mustHaveOneOf.includes(found ?? ''));
      }
    }),
    { numRuns: 2000 },
  );
});

test('arbitrary text throws nothing but SelectorError', () => {
  const piece = fc.constantFrom(...'has( a == != ! && || " \' { } , ( ) in not'.split(' '), ' ');
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece).map((pieces) => pieces.join('')),
  );
  fc.assert(
    fc.property(text, (input) => {
      try {
        parseSelector(parseSelector(input).canonical);
      } catch (error) {
        assert.ok(error instanceof SelectorError);
        assert.ok(error.position >= 0 && error.position <= input.length);
      }
    }),
    { numRuns: 5000 },
  );
});
