// Every kind's fields are described once and read in two styles:
//   strict   a user's document: unknown fields and contradictions between fields are problems
//   lenient  a stored document of any writer: unknown fields are kept, only the shape must be right
import * as z from 'zod';

export type Report = (path: readonly (string | number)[], value: unknown, message: string) => void;

/** A check that reads several fields. It runs when each of these is valid by itself. */
export type CrossCheck<Value> = readonly [
  fields: readonly (keyof Value & string)[],
  check: (value: Value, report: Report) => void,
];

export type SchemaStyle = {
  readonly isStrict: boolean;
  readonly object: typeof z.strictObject;
  readonly cross: <S extends z.ZodObject>(schema: S, ...checks: CrossCheck<z.output<S>>[]) => S;
};

export const STRICT: SchemaStyle = {
  isStrict: true,
  object: z.strictObject,
  cross: (schema, ...checks) => checks.reduce(withCheck, schema),
};

export const LENIENT: SchemaStyle = {
  isStrict: false,
  object: z.looseObject,
  cross: (schema) => schema,
};

function withCheck<S extends z.ZodObject>(schema: S, [fields, check]: CrossCheck<z.output<S>>): S {
  return schema.superRefine(
    (value, context) => {
      check(value, (path, input, message) => {
        context.addIssue({ code: 'custom', path: [...path], input, message, params: CROSS });
      });
    },
    { when: ({ issues }) => !issues.some((issue) => concerns(issue, fields)) },
  );
}

/** Marks what a cross-check found: it does not keep the next one from running. */
const CROSS = { cross: true };

function concerns(issue: z.core.$ZodRawIssue, fields: readonly string[]): boolean {
  if (issue['params'] === CROSS) return false;
  const [field] = issue.path ?? [];
  return field === undefined ? issue.code !== 'unrecognized_keys' : fields.includes(String(field));
}
