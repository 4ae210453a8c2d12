// Every field of every kind, given values that it cannot have: the refusal names object, field and value, and says
// what would be accepted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as z from 'zod';
import { KINDS, type Kind } from './kinds.ts';
import { parseResource } from './parse.ts';
import { API_VERSION } from './resource.ts';
import { STRICT } from './schema_style.ts';
import { SCHEMAS } from './schemas.ts';
import { problemText, ValidationError } from './validation_error.ts';

type Path = readonly (string | number)[];

const WRONG: readonly unknown[] = [
  { no: 1 },
  'no such!',
  '',
  -1.5,
  1e12,
  true,
  ['no such!', {}],
  [{ no: 1 }],
];

/** Parts of a message that say what would be accepted. */
const ACCEPTED = /expected |did you mean |is required|is not a known field| at position \d+$/;
/** What no user should read: words and patterns of the library or of JavaScript. */
const RAW = /Invalid|\[object|undefined|NaN|\/\^|\(\?:|never|union/;

/** Paths of all fields, with one entry of each list. */
function pathsOf(schema: z.ZodType, at: Path = []): Path[] {
  const inner = unwrapped(schema);
  const here = at.length === 0 ? [] : [at];
  if ('shape' in inner) {
    const fields = Object.entries(inner.shape as Record<string, z.ZodType>);
    return [...here, ...fields.flatMap(([name, field]) => pathsOf(field, [...at, name]))];
  }
  if ('element' in inner) return [...here, ...pathsOf(inner.element as z.ZodType, [...at, 0])];
  return here;
}

function unwrapped(schema: z.ZodType): z.ZodType {
  const { innerType, in: input } = schema.def as { innerType?: z.ZodType; in?: z.ZodType };
  const inner = innerType ?? input;
  return inner === undefined ? schema : unwrapped(inner);
}

/** {"a": [{"b": value}]} for the path a, 0, b. */
function nested([first, ...rest]: Path, value: unknown): unknown {
  if (first === undefined) return value;
  const inner = nested(rest, value);
  return typeof first === 'number' ? [inner] : { [first]: inner };
}

/** "spec.ingress[0].action" */
function fieldOf(path: Path): string {
  return path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
}

function refusal(kind: Kind, document: object): ValidationError | undefined {
  const { namespaced } = KINDS[kind];
  const metadata = { name: 'n', ...(namespaced ? { namespace: 's' } : {}) };
  try {
    parseResource({ apiVersion: API_VERSION, kind, metadata, ...document });
    return undefined;
  } catch (cause) {
    assert.ok(cause instanceof ValidationError, `${kind}: ${String(cause)}`);
    return cause;
  }
}

for (const kind of Object.keys(KINDS) as Kind[]) {
  test(`what is wrong in ${kind} is said with field, value and what would be accepted`, () => {
    const name = KINDS[kind].namespaced ? 's/n' : 'n';
    const spec = SCHEMAS[kind].spec as (style: typeof STRICT) => z.ZodType;
    for (const path of pathsOf(spec(STRICT))) {
      const field = `spec${fieldOf(path)}`;
      for (const wrong of WRONG) {
        const error = refusal(kind, { spec: nested(path, wrong) });
        assert.equal(error?.object ?? `${kind} "${name}"`, `${kind} "${name}"`);
        for (const problem of error?.problems ?? []) {
          const text = problemText(problem);
          assert.match(problem.message, ACCEPTED, text);
          assert.doesNotMatch(problem.message, RAW, text);
          if (problem.field === field && problem.value !== undefined) {
            assert.ok(
              text.startsWith(`${field} ${JSON.stringify(problem.value)?.slice(0, 40)}`),
              text,
            );
          }
        }
      }
    }
  });
}

test('a wrong type is refused wherever a field is', () => {
  const taken: string[] = [];
  for (const kind of Object.keys(KINDS) as Kind[]) {
    const spec = SCHEMAS[kind].spec as (style: typeof STRICT) => z.ZodType;
    for (const path of pathsOf(spec(STRICT))) {
      const field = `spec${fieldOf(path)}`;
      const refused = WRONG.filter((wrong) =>
        refusal(kind, { spec: nested(path, wrong) })?.problems.some((problem) =>
          problem.field.startsWith(field),
        ),
      );
      if (refused.length < 3) taken.push(`${kind} ${field}: ${refused.length}`);
    }
  }
  assert.deepEqual(taken, []);
});

function problemsIn(kind: Kind, spec: object): string {
  return refusal(kind, { spec })?.problems.map(problemText).join('\n') ?? '';
}

test('a field that does not exist is refused with the ones that do', () => {
  assert.match(problemsIn('NetworkPolicy', { selektor: 'all()' }), /did you mean "selector"\?$/);
  assert.match(
    problemsIn('Tier', { priority: 1 }),
    /^spec\.priority: is not a known field; expected order, defaultAction$/,
  );
  assert.match(problemsIn('BGPConfiguration', { zzz: 1 }), /expected .*nodeToNodeMeshEnabled/);
});

test('a name is refused with what a name may be', () => {
  for (const kind of Object.keys(KINDS) as Kind[]) {
    for (const name of ['A_b', '', 'a/b', 7]) {
      const error = refusal(kind, { metadata: { name }, spec: {} });
      const problem = error?.problems.find(({ field }) => field === 'metadata.name');
      assert.match(problem?.message ?? '', /^expected /, `${kind} ${JSON.stringify(name)}`);
    }
  }
});
