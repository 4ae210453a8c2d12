// `datastore migrate import`: resources through api, blocks and addresses through ipam.
import { parseStored } from '@calico/model';
import { CommandError } from '../command_error.ts';
import { blockContents } from '../formats/block_contents.ts';
import { checkRequests, type Request, requestsOf, toMessage } from '../requests.ts';
import type { CommandAdder, Session } from '../session.ts';
import { isLocked } from './datastore_lock.ts';
import { documentsOf, type FileOptions, withFileOptions } from './file_options.ts';
import { codeOf } from './write.ts';

export const addImport: CommandAdder = (migrate, run) => {
  const command = migrate
    .command('import')
    .description('store what "export" has printed')
    .addHelpText(
      'after',
      `
Example:
  calicoctl datastore migrate import -f cluster.yaml

The datastore has to be locked, and nodes should not use it yet. An import that was interrupted is
repeated: what is there already stays as it is. Addresses keep their handles and attributes.`,
    );
  withFileOptions(command).action((options: FileOptions) =>
    run((session) => importAll(session, options)),
  );
};

async function importAll(session: Session, options: FileOptions): Promise<void> {
  const requests = requestsOf(await documentsOf(session, options), options.namespace);
  const blocks = requests.filter(({ kind }) => kind === 'IPAMBlock');
  const resources = requests.filter(({ kind }) => kind !== 'IPAMBlock');
  checkRequests(resources, 'import');
  if (!(await isLocked(session))) {
    throw new CommandError('Cannot import into the datastore: it is not locked', {
      advice: 'Run "calicoctl datastore migrate lock" first, with the address of the new api.',
    });
  }
  await applyAll(
    session,
    resources.filter((request) => !isEndpoint(request)),
  );
  let addresses = 0;
  for (const block of blocks) addresses += await importBlock(session, block);
  await applyAll(session, resources.filter(isEndpoint));
  session.terminal.out(
    `Successfully imported ${resources.length} resource(s), ${blocks.length} block(s) with ${addresses} address(es)\n`,
  );
}

function isEndpoint({ kind }: Request): boolean {
  return kind === 'WorkloadEndpoint';
}

async function applyAll({ connections }: Session, requests: readonly Request[]): Promise<void> {
  for (const request of requests) {
    await connections.ask('api', (client) => client.apply({ resource: toMessage(request) }));
  }
}

/** The number of its addresses. @throws CommandError when the new datastore has something else there */
async function importBlock({ connections }: Session, { document, name }: Request): Promise<number> {
  const { spec } = parseStored('IPAMBlock', JSON.stringify(document));
  const { node, addresses } = blockContents(spec);
  if (node !== undefined) {
    const claim = { cidr: spec.cidr, node };
    const { failed } = await connections.ask('ipam', (client) => client.claimAffinity(claim));
    if (failed.length > 0) {
      throw new CommandError(
        `Cannot import IPAMBlock "${name}": "${spec.cidr}" is another node's already, not "${node}"'s`,
        { advice: 'Import into a datastore that no node uses yet.' },
      );
    }
  }
  for (const assignment of addresses) {
    try {
      await connections.ask('ipam', (client) => client.assignIp(assignment));
    } catch (cause) {
      if (codeOf(cause) !== 'ALREADY_EXISTS') throw cause;
      const { address, handleId } = assignment;
      const held = await connections.ask('ipam', (client) => client.getAssignment({ address }));
      if (held.assigned && held.handleId === handleId) continue;
      throw new CommandError(
        `Cannot import "${address}" of IPAMBlock "${name}": handle "${held.handleId}" holds it, not "${handleId}"`,
        { cause },
      );
    }
  }
  return addresses.length;
}
