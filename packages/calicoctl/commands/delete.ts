import type { Kind } from '@calico/model';
import { kindOf, namespaceFor } from '../kind_argument.ts';
import { requestsOf } from '../requests.ts';
import type { CommandAdder, Session } from '../session.ts';
import {
  documentsOf,
  type FileOptions,
  requireOne,
  type WaitFlags,
  waitTimeout,
  withFileOptions,
  withWaitOptions,
} from './file_options.ts';
import { removeNode } from './remove_node.ts';
import { codeOf } from './write.ts';
import { type Item, writeAll } from './write_documents.ts';

type Options = FileOptions & WaitFlags & { readonly skipNotExists?: boolean };
type Key = { readonly kind: Kind; readonly namespace: string; readonly name: string };

export const addDelete: CommandAdder = (parent, run) => {
  const command = parent
    .command('delete')
    .description('delete resources, by name or those of files')
    .argument('[kind]', 'kind, plural or short form')
    .argument('[names...]', 'names of the resources')
    .option('-s, --skip-not-exists', 'pass over resources that do not exist')
    .addHelpText(
      'after',
      `
Examples:
  calicoctl delete networkpolicy allow-dns -n production
  calicoctl delete ippool old-pool other-pool
  calicoctl delete --skip-not-exists -f policies/

Stop felix and bgp on a node before deleting it: its blocks and tunnel addresses are released, too.`,
    );
  withWaitOptions(withFileOptions(command)).action(
    (kind: string | undefined, names: string[], options: Options) =>
      run(async (session) => {
        requireOne(kind, options);
        const items =
          kind === undefined
            ? await itemsOfFiles(session, options)
            : itemsOfNames(session, kind, names, options);
        const verb = { infinitive: 'delete', past: 'deleted' };
        await writeAll(session, verb, items, waitTimeout(options));
      }),
  );
};

async function itemsOfFiles(session: Session, options: Options): Promise<Item[]> {
  const requests = requestsOf(await documentsOf(session, options), options.namespace);
  return requests.map(({ kind, namespace, name, source }) => ({
    kind,
    name,
    source,
    change: () => deleteOne(session, { kind, namespace, name }, options),
  }));
}

function itemsOfNames(session: Session, text: string, names: string[], options: Options): Item[] {
  const info = kindOf(text);
  const namespace = namespaceFor(info, options.namespace);
  return names.map((name) => ({
    kind: info.kind,
    name,
    change: () => deleteOne(session, { kind: info.kind, namespace, name }, options),
  }));
}

async function deleteOne(
  session: Session,
  key: Key,
  { skipNotExists }: Options,
): Promise<bigint | undefined> {
  try {
    if (key.kind === 'Node') return await removeNode(session, key.name);
    const { revision } = await session.connections.ask('api', (client) => client.delete({ key }));
    return revision;
  } catch (cause) {
    if (skipNotExists === true && codeOf(cause) === 'NOT_FOUND') return undefined;
    throw cause;
  }
}
