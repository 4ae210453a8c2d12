// The forms in which `get` prints resources.
import { API_VERSION, KINDS, type Kind } from '@calico/model';
import { stringify } from 'yaml';
import { CommandError } from '../command_error.ts';
import { formatColumns } from './columns.ts';
import {
  COLUMNS,
  type ColumnContext,
  columnsByHeading,
  NAMESPACE,
  type ResourceDocument,
} from './resource_columns.ts';

export type OutputFormat = { readonly kind: 'yaml' | 'json' | 'name' } | TableFormat;

type TableFormat =
  | { readonly kind: 'ps' | 'wide' }
  | { readonly kind: 'custom-columns'; readonly headings: readonly string[] };

/** What was asked for: one object by name, or a list. */
export type Listing = {
  readonly kind: Kind;
  readonly resources: readonly ResourceDocument[];
  readonly isSingle: boolean;
  /** Revision at which a list is exact. */
  readonly revision: string;
};

/** As Go's encoder writes; times and words such as "yes" are quoted for readers of YAML 1.1. */
export const YAML = {
  sortMapEntries: true,
  lineWidth: 0,
  indentSeq: false,
  compat: 'yaml-1.1',
} as const;

const FORMATS = 'ps, wide, yaml, json, name or custom-columns=HEADING[,HEADING]';

/** @throws CommandError */
export function parseOutputFormat(text: string): OutputFormat {
  if (/^(ps|wide|yaml|json|name)$/.test(text)) {
    return { kind: text as 'ps' | 'wide' | 'yaml' | 'json' | 'name' };
  }
  const [, headings] = /^custom-columns=(.+)$/.exec(text) ?? [];
  if (headings !== undefined) return { kind: 'custom-columns', headings: headings.split(',') };
  if (/^go-template(-file)?=/.test(text)) {
    throw new CommandError(
      `Cannot print as "${text}": Go's templates are not understood here, expected ${FORMATS}`,
      { advice: 'For single fields take -o json and jq: -o json | jq -r .spec.cidr' },
    );
  }
  throw new CommandError(`Cannot print as "${text}": expected ${FORMATS}`);
}

export function formatListings(
  listings: readonly Listing[],
  format: OutputFormat,
  options: ColumnContext & { readonly withNamespace: boolean },
): string {
  switch (format.kind) {
    case 'yaml':
      return stringify(documentsOf(listings), YAML);
    case 'json':
      return `${JSON.stringify(documentsOf(listings), sortedFields, 2)}\n`;
    case 'name':
      return listings.flatMap(namesOf).join('');
    case 'ps':
    case 'wide':
    case 'custom-columns':
      return listings.map((listing) => tableOf(listing, format, options)).join('');
    default:
      return format satisfies never;
  }
}

/** Without what belongs to the cluster that it was read from. */
export function portable(resource: ResourceDocument): ResourceDocument {
  const { resourceVersion: _r, uid: _u, creationTimestamp: _c, ...metadata } = resource.metadata;
  return { ...resource, metadata };
}

function namesOf({ kind, resources }: Listing): string[] {
  return resources.map(({ metadata }) => `${kind.toLowerCase()}/${metadata.name}\n`);
}

function tableOf(
  { kind, resources }: Listing,
  format: TableFormat,
  options: ColumnContext & { readonly withNamespace: boolean },
): string {
  const chosen =
    format.kind === 'custom-columns'
      ? columnsByHeading(kind, format.headings)
      : COLUMNS[kind][format.kind];
  const isNamespaced = options.withNamespace && KINDS[kind].namespaced;
  const columns = isNamespaced && !chosen.includes(NAMESPACE) ? [NAMESPACE, ...chosen] : chosen;
  return formatColumns([
    columns.map(({ heading }) => heading),
    ...resources.map((resource) => columns.map(({ text }) => text(resource, options))),
  ]);
}

/** One object, one list object, or an array of them. */
function documentsOf(listings: readonly Listing[]): unknown {
  const documents = listings.map(({ kind, resources, isSingle, revision }) =>
    isSingle && resources.length === 1
      ? resources[0]
      : {
          apiVersion: API_VERSION,
          kind: `${kind}List`,
          metadata: { resourceVersion: revision },
          items: resources,
        },
  );
  return documents.length === 1 ? documents[0] : documents;
}

/** JSON.stringify replacer: fields in order of their names, as Go's encoder writes maps. */
function sortedFields(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
