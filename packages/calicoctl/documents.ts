// Reads resource documents: YAML or JSON, several in a file, files of a directory, standard input.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isNode, LineCounter, parseAllDocuments, type Document as YamlDocument } from 'yaml';
import { CommandError } from './command_error.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Where a document was found. */
export type Place = {
  /** Path, or "standard input". */
  readonly file: string;
  /** From 1, in its file. */
  readonly number: number;
  /** From 1, in a document that is a list. */
  readonly item?: number | undefined;
};

/** One document and where it was found. */
export type SourceDocument = Place & {
  readonly value: Fields;
  /** Line of a field, from 1; of the nearest enclosing one when the field itself is not there. */
  readonly lineOf: (path: readonly (string | number)[]) => number | undefined;
};

const STANDARD_INPUT = 'standard input';

/** @param location a file, a directory, or "-"; @throws CommandError */
export async function readDocuments(
  location: string,
  readInput: () => Promise<string>,
  options: { readonly recursive?: boolean | undefined } = {},
): Promise<SourceDocument[]> {
  if (location === '-') return parseDocuments(await readInput(), STANDARD_INPUT);
  const documents: SourceDocument[] = [];
  for (const file of await filesAt(location, options.recursive === true)) {
    documents.push(...parseDocuments(await readText(file), file));
  }
  return documents;
}

/** @throws CommandError when the text is neither YAML nor JSON, or holds something else than objects */
export function parseDocuments(text: string, file: string): SourceDocument[] {
  const lineCounter = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter, prettyErrors: false });
  const documents = Array.isArray(parsed) ? parsed : [];
  return documents.flatMap((document, index) => {
    const number = index + 1;
    const [error] = document.errors;
    if (error !== undefined) {
      const { line, col } = lineCounter.linePos(error.pos[0]);
      throw new CommandError(
        `Cannot read ${placeText({ file, number })}, line ${line}, column ${col}: ${error.message}`,
      );
    }
    const lineOf = (path: readonly (string | number)[]) => lineAt(document, lineCounter, path);
    return valuesOf(toValue(document, file, number), file, number).map(({ value, item, path }) => ({
      file,
      number,
      item,
      value,
      lineOf: (inner: readonly (string | number)[]) => lineOf([...path, ...inner]),
    }));
  });
}

/** 'file "pool.yaml", document 2', and ', item 3' where that is a list */
export function placeText({ file, number, item }: Place): string {
  const within = item === undefined ? '' : `, item ${item}`;
  return `${file === STANDARD_INPUT ? STANDARD_INPUT : `file "${file}"`}, document ${number}${within}`;
}

function toValue(document: YamlDocument, file: string, number: number): unknown {
  try {
    return document.toJS() as unknown;
  } catch (cause) {
    throw new CommandError(`Cannot read ${placeText({ file, number })}: ${reason(cause)}`, {
      cause,
    });
  }
}

type Found = {
  readonly value: Fields;
  readonly item?: number;
  readonly path: readonly (string | number)[];
};

/** Empty documents are skipped; lists (JSON arrays and kinds "…List") give their items. */
function valuesOf(value: unknown, file: string, number: number): Found[] {
  if (value === null || value === undefined) return [];
  const [items, base] = Array.isArray(value) ? [value, []] : itemsOf(value);
  if (items === undefined) return [{ value: fieldsOf(value, { file, number }), path: [] }];
  return items.map((each: unknown, index) => {
    const item = index + 1;
    return { value: fieldsOf(each, { file, number, item }), item, path: [...base, index] };
  });
}

function itemsOf(value: unknown): [unknown[] | undefined, string[]] {
  const { kind, items } = value as Fields;
  const isList = typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items);
  return isList ? [items as unknown[], ['items']] : [undefined, []];
}

function fieldsOf(value: unknown, place: Place): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new CommandError(
    `Cannot use ${placeText(place)}: expected a resource with apiVersion, kind and metadata, found ${JSON.stringify(value)}`,
  );
}

function lineAt(
  document: YamlDocument,
  lineCounter: LineCounter,
  path: readonly (string | number)[],
): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
  }
  return undefined;
}

async function filesAt(location: string, recursive: boolean): Promise<string[]> {
  let isDirectory: boolean;
  try {
    isDirectory = (await stat(location)).isDirectory();
  } catch (cause) {
    throw new CommandError(`Cannot read "${location}": ${reason(cause)}`, {
      cause,
      advice: 'Give a file, a directory, or "-" for standard input.',
    });
  }
  if (!isDirectory) return [location];
  const names = await readdir(location, { recursive });
  const files = names.filter((name) => /\.(ya?ml|json)$/.test(name)).toSorted();
  return files.map((name) => join(location, name));
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new CommandError(`Cannot read file "${file}": ${reason(cause)}`, { cause });
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
