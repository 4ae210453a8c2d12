// Between documents of the user and resources of the api.
import { KINDS, type Kind, parseResource, problemText, ValidationError } from '@calico/model';
import type { Resource } from '@calico/proto/api/v1/resources';
import { CommandError } from './command_error.ts';
import { type Fields, placeText, type SourceDocument } from './documents.ts';
import type { ResourceDocument } from './formats/resource_columns.ts';
import { kindOf } from './kind_argument.ts';

/** A document that is to be sent, with its identity. */
export type Request = {
  readonly source: SourceDocument;
  readonly kind: Kind;
  /** '' for kinds that are not namespaced. */
  readonly namespace: string;
  readonly name: string;
  /** The document with its namespace filled in. */
  readonly document: Fields;
};

/** Identifies every document. @throws CommandError when kind or name is missing */
export function requestsOf(
  documents: readonly SourceDocument[],
  namespace: string | undefined,
): Request[] {
  return documents.map((source) => {
    const { kind, metadata } = source.value;
    const place = placeText(source);
    if (typeof kind !== 'string') {
      throw new CommandError(`Cannot use ${place}: kind is missing, for example "kind: IPPool"`);
    }
    const fields = isFields(metadata) ? metadata : {};
    const { name } = fields;
    if (typeof name !== 'string' || name === '') {
      throw new CommandError(`Cannot use ${place}: ${kind} has no metadata.name`);
    }
    const info = Object.hasOwn(KINDS, kind) ? KINDS[kind as Kind] : kindOf(kind, `${place}: `);
    if (!info.namespaced) {
      return { source, kind: info.kind, namespace: '', name, document: source.value };
    }
    const own = fields['namespace'];
    const chosen = typeof own === 'string' && own !== '' ? own : (namespace ?? 'default');
    const document = { ...source.value, metadata: { ...fields, namespace: chosen } };
    return { source, kind: info.kind, namespace: chosen, name, document };
  });
}

/**
 * Checks all documents before anything is sent, so that a mistake in one changes nothing.
 * @throws CommandError that lists every problem with file, document, line and field
 */
export function checkRequests(requests: readonly Request[], verb: string): void {
  refuse(requests.flatMap(problemsOf), verb);
}

/** @throws CommandError that lists the problems, when there are any */
export function refuse(problems: readonly string[], verb: string): void {
  if (problems.length === 0) return;
  const [only] = problems;
  const text =
    problems.length === 1 && only !== undefined
      ? only
      : `${problems.length} problems\n${problems.map((problem) => `  ${problem}`).join('\n')}`;
  throw new CommandError(`Cannot ${verb}: ${text}`, {
    advice: 'Nothing was changed. Correct the document and run the command again.',
  });
}

/** As placeText() has it. */
export function placeOf({ source }: Request): string {
  return placeText(source);
}

function problemsOf(request: Request): string[] {
  const { source, document, kind, name } = request;
  const place = placeOf(request);
  if (KINDS[kind].readOnly) {
    return [`${place}: ${kind} "${name}": is made by IPAM and cannot be written`];
  }
  try {
    parseResource(document);
    return [];
  } catch (cause) {
    if (!(cause instanceof ValidationError)) throw cause;
    return cause.problems.map((problem) => {
      const line = source.lineOf(pathOf(problem.field));
      const where = line === undefined ? place : `${place}, line ${line}`;
      return `${where}: ${cause.object}: ${problemText(problem)}`;
    });
  }
}

/** "spec.ingress[0].action" as a list of its steps. */
function pathOf(field: string): (string | number)[] {
  return [...field.matchAll(/\[([0-9]+)\]|\["([^"]*)"\]|([^.[\]]+)/g)].map(
    ([, index, quoted, name]) => (index === undefined ? (quoted ?? name ?? '') : Number(index)),
  );
}

export function toMessage({ kind, namespace, name, document }: Request) {
  return { kind, namespace, name, json: JSON.stringify(document) };
}

/** The stored document, with the revision that it was read at. */
export function toDocument(resource: Resource | undefined): ResourceDocument {
  if (resource === undefined) {
    throw new CommandError('Cannot read the answer of api: it holds no resource');
  }
  const document = JSON.parse(resource.json) as ResourceDocument;
  const { metadata } = document;
  const resourceVersion = metadata['resourceVersion'] ?? String(resource.revision);
  return { ...document, metadata: { ...metadata, resourceVersion } };
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
