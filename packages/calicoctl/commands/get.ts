import { KINDS, type KindInfo } from '@calico/model';
import { formatListings, type Listing, parseOutputFormat, portable } from '../formats/output.ts';
import type { ResourceDocument } from '../formats/resource_columns.ts';
import { kindOf, namespaceFor } from '../kind_argument.ts';
import { listResources } from '../list_resources.ts';
import { requestsOf, toDocument } from '../requests.ts';
import type { CommandAdder, Session } from '../session.ts';
import { documentsOf, type FileOptions, requireOne, withFileOptions } from './file_options.ts';
import { codeOf } from './write.ts';

type Options = FileOptions & {
  readonly output: string;
  readonly allNamespaces?: boolean;
  readonly export?: boolean;
};

export const addGet: CommandAdder = (parent, run) => {
  const command = parent
    .command('get')
    .description('list resources, or show those of the given names')
    .argument('[kind]', 'kind, plural or short form')
    .argument('[names...]', 'names of the resources')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('-o, --output <format>', 'ps, wide, yaml, json, name or custom-columns=A,B', 'ps')
    .option('--export', 'leave out what belongs to this cluster: uid, revision, time')
    .addHelpText(
      'after',
      `
Examples:
  calicoctl get ippools -o wide
  calicoctl get nodes -o wide
  calicoctl get workloadendpoints -A
  calicoctl get networkpolicy allow-dns -n production -o yaml
  calicoctl get bgppeers -o custom-columns=NAME,ASN`,
    );
  withFileOptions(command).action((kind: string | undefined, names: string[], options: Options) =>
    run(async (session) => {
      const format = parseOutputFormat(options.output);
      requireOne(kind, options);
      const listings =
        kind === undefined
          ? await listingsOfFiles(session, options)
          : [await listingOf(session, kindOf(kind), names, options)];
      const needsAsn = format.kind !== 'ps' && listings.some((each) => each.kind === 'Node');
      const text = formatListings(
        options.export === true ? listings.map(exported) : listings,
        format,
        {
          withNamespace: options.allNamespaces === true,
          defaultAsn: needsAsn ? await defaultAsn(session) : '',
        },
      );
      session.terminal.out(text);
    }),
  );
};

async function listingsOfFiles(session: Session, options: Options): Promise<Listing[]> {
  const requests = requestsOf(await documentsOf(session, options), options.namespace);
  const listings: Listing[] = [];
  for (const { kind, namespace, name } of requests) {
    const found = await getOne(session, { kind, namespace, name });
    listings.push({ kind, resources: [found], isSingle: true, revision: '' });
  }
  return listings;
}

async function listingOf(
  session: Session,
  info: KindInfo,
  names: readonly string[],
  options: Options,
): Promise<Listing> {
  const { kind } = info;
  const namespace = namespaceFor(info, options.namespace);
  if (names.length === 0) {
    return listAll(session, info, options.allNamespaces === true ? '' : namespace);
  }
  const resources: ResourceDocument[] = [];
  for (const name of names) resources.push(await getOne(session, { kind, namespace, name }));
  return { kind, resources, isSingle: names.length === 1, revision: '' };
}

async function getOne(
  { connections }: Session,
  key: { readonly kind: string; readonly namespace: string; readonly name: string },
): Promise<ResourceDocument> {
  const { resource } = await connections.ask('api', (client) => client.get({ key }));
  return toDocument(resource);
}

async function listAll(session: Session, { kind }: KindInfo, namespace: string): Promise<Listing> {
  const { resources, revision } = await listResources(session, kind, namespace);
  return {
    kind,
    resources: resources.map(toDocument).toSorted(byName),
    isSingle: false,
    revision: String(revision),
  };
}

function byName({ metadata: a }: ResourceDocument, { metadata: b }: ResourceDocument): number {
  const [left, right] = [`${a.namespace ?? ''}/${a.name}`, `${b.namespace ?? ''}/${b.name}`];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The cluster's AS number, which nodes without one of their own have. */
async function defaultAsn(session: Session): Promise<string> {
  try {
    const key = { kind: KINDS.BGPConfiguration.kind, namespace: '', name: 'default' };
    const { spec } = await getOne(session, key);
    return String((spec?.['asNumber'] as number | undefined) ?? DEFAULT_ASN);
  } catch (cause) {
    if (codeOf(cause) === 'NOT_FOUND') return DEFAULT_ASN;
    throw cause;
  }
}

const DEFAULT_ASN = '64512';

function exported(listing: Listing): Listing {
  return { ...listing, resources: listing.resources.map(portable) };
}
