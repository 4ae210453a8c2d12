// Documents to resources.
import * as z from 'zod';
import { findKind, KINDS, type Kind, type KindInfo } from './kinds.ts';
import { metadataSchema } from './metadata.ts';
import { withoutNulls } from './nulls.ts';
import { nearestOf, problemsOf, unknownField } from './problems.ts';
import { API_VERSION, type ObjectMeta } from './resource.ts';
import type { AnyResource, ResourceOf } from './resources.ts';
import { LENIENT, type SchemaStyle, STRICT } from './schema_style.ts';
import { type KindSchema, SCHEMAS } from './schemas.ts';
import { type Problem, ValidationError } from './validation_error.ts';

type Fields = Record<string, unknown>;
type Reader = { readonly metadata: z.ZodType; readonly spec: z.ZodType };
type AnyKindSchema = KindSchema<unknown, unknown, unknown>;

const ENVELOPE = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];

/**
 * Reads a user's document: checks every field and fills in defaults.
 * @throws ValidationError with all problems; unknown fields are among them
 */
export function parseResource(input: unknown): AnyResource {
  const document = withoutNulls(input);
  if (!isFields(document)) {
    throw new ValidationError('document', [
      { field: 'document', value: input, message: 'expected an object with kind and metadata' },
    ]);
  }
  const problems: Problem[] = [];
  const info = kindOf(document['kind'], problems);
  if (document['apiVersion'] !== API_VERSION) {
    problems.push({
      field: 'apiVersion',
      value: document['apiVersion'],
      message: `expected "${API_VERSION}"`,
    });
  }
  for (const field of Object.keys(document).filter((each) => !ENVELOPE.includes(each))) {
    problems.push({ field, value: undefined, message: unknownField(field, ENVELOPE) });
  }
  const object = objectText(document, info);
  if (info === undefined) throw new ValidationError(object, problems);
  const resource = read(info, document, STRICT, problems);
  problems.push(...namingProblems(info, document));
  if (problems.length > 0) throw new ValidationError(object, problems);
  return resource;
}

/**
 * Reads a stored document of any writer: unknown fields are kept and contradictions between fields
 * are accepted; only a wrong shape is an error.
 * @throws ValidationError
 */
export function parseStored<K extends Kind>(kind: K, json: string): ResourceOf<K> {
  const parsed = parseJson(kind, json);
  // Looking at every member of 100,000 documents costs more than looking for the word.
  const document = json.includes('null') ? withoutNulls(parsed) : parsed;
  if (!isFields(document)) {
    throw new ValidationError(kind, [
      { field: 'document', value: document, message: 'expected an object' },
    ]);
  }
  const problems: Problem[] = [];
  const resource = read(KINDS[kind], document, LENIENT, problems);
  if (problems.length > 0) throw new ValidationError(objectText(document, KINDS[kind]), problems);
  return resource as ResourceOf<K>;
}

function parseJson(kind: Kind, json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch (cause) {
    const message = `is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new ValidationError(kind, [{ field: 'document', value: json, message }]);
  }
}

function kindOf(kind: unknown, problems: Problem[]): KindInfo | undefined {
  const info = Object.hasOwn(KINDS, String(kind)) ? KINDS[kind as Kind] : undefined;
  if (info !== undefined) return info;
  const text = typeof kind === 'string' ? kind : '';
  const nearest = findKind(text)?.kind ?? nearestOf(text, Object.keys(KINDS));
  const message =
    nearest === undefined
      ? `expected one of ${Object.keys(KINDS).join(', ')}`
      : `is not a kind of ${API_VERSION}; did you mean "${nearest}"?`;
  problems.push({ field: 'kind', value: kind, message });
  return undefined;
}

function read(
  info: KindInfo,
  document: Fields,
  style: SchemaStyle,
  problems: Problem[],
): AnyResource {
  const reader = readerOf(info.kind, style);
  const kindSchema = SCHEMAS[info.kind] as unknown as AnyKindSchema;
  const take = (field: string, schema: z.ZodType) => {
    const result = schema.safeParse(document[field] ?? {}, { reportInput: true });
    if (result.success) return result.data;
    const known = (path: readonly PropertyKey[]) => fieldsAt(schema, path);
    problems.push(...problemsOf(result.error.issues, [field], known));
    return undefined;
  };
  const metadata = take('metadata', reader.metadata) as ObjectMeta | undefined;
  const spec = take('spec', reader.spec);
  const status = document['status'] === undefined ? undefined : take('status', kindSchema.status);
  const complete =
    spec === undefined || metadata === undefined ? spec : kindSchema.complete(spec, metadata);
  return {
    ...(style === LENIENT ? document : {}),
    apiVersion: API_VERSION,
    kind: info.kind,
    metadata,
    spec: complete,
    ...(status === undefined ? {} : { status }),
  } as AnyResource;
}

function kindText(kind: unknown): string {
  return typeof kind === 'string' ? kind : 'document';
}

function namingProblems(info: KindInfo, document: Fields): Problem[] {
  const metadata = isFields(document['metadata']) ? document['metadata'] : {};
  const { name, namespace } = metadata;
  const problems: Problem[] = [];
  const problem = typeof name === 'string' ? SCHEMAS[info.kind].nameProblem(name) : undefined;
  if (problem !== undefined) {
    problems.push({ field: 'metadata.name', value: name, message: problem });
  }
  if (info.namespaced && namespace === undefined) {
    const message = `is required: a ${info.kind} lives in a namespace`;
    problems.push({ field: 'metadata.namespace', value: undefined, message });
  }
  if (!info.namespaced && namespace !== undefined) {
    const message = `expected none: a ${info.kind} belongs to the whole cluster`;
    problems.push({ field: 'metadata.namespace', value: namespace, message });
  }
  return problems;
}

const READERS = new Map<string, Reader>();

/** Schemas are built once, at first use. */
function readerOf(kind: Kind, style: SchemaStyle): Reader {
  const key = `${kind} ${style === STRICT}`;
  const found = READERS.get(key);
  if (found !== undefined) return found;
  const kindSchema = SCHEMAS[kind] as unknown as AnyKindSchema;
  const reader = { metadata: metadataSchema(style), spec: kindSchema.spec(style) };
  READERS.set(key, reader);
  return reader;
}

/** Names of the fields that the object at a path may have. */
function fieldsAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let at: z.ZodType | undefined = unwrapped(schema);
  for (const part of path) {
    if (at === undefined) return [];
    const next: unknown =
      'element' in at ? at.element : 'shape' in at ? (at.shape as Fields)[String(part)] : undefined;
    at = next === undefined ? undefined : unwrapped(next as z.ZodType);
  }
  return at !== undefined && 'shape' in at ? Object.keys(at.shape as Fields) : [];
}

function unwrapped(schema: z.ZodType): z.ZodType {
  const inner = (schema.def as { readonly innerType?: z.ZodType }).innerType;
  return inner === undefined ? schema : unwrapped(inner);
}

/** 'IPPool "default"', 'NetworkPolicy "default/allow-dns"' */
function objectText(document: Fields, info: KindInfo | undefined): string {
  const metadata = isFields(document['metadata']) ? document['metadata'] : {};
  const name = typeof metadata['name'] === 'string' ? metadata['name'] : '';
  const namespace = typeof metadata['namespace'] === 'string' ? `${metadata['namespace']}/` : '';
  return `${info?.kind ?? kindText(document['kind'])} "${namespace}${name}"`;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
