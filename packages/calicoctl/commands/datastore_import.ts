// `datastore migrate import`: resources through api, blocks and addresses through ipam.
import { CommandError } from '../command_error.ts';
import { type ImportedBlock, planImport } from '../import_plan.ts';
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
repeated: resources that are there already are replaced, addresses that are held already stay.
Addresses keep their handles and attributes; those that no pool holds any more, or of which no node
is known, are left out and listed at the end.`,
    );
  withFileOptions(command).action((options: FileOptions) =>
    run((session) => importAll(session, options)),
  );
};

async function importAll(session: Session, options: FileOptions): Promise<void> {
  const requests = requestsOf(await documentsOf(session, options), options.namespace);
  const resources = requests.filter(({ kind }) => kind !== 'IPAMBlock');
  checkRequests(resources, 'import');
  const { first, blocks, last, leftOut } = planImport(requests);
  if (!(await isLocked(session))) {
    throw new CommandError('Cannot import into the datastore: it is not locked', {
      advice: 'Run "calicoctl datastore migrate lock" first, with the address of the new api.',
    });
  }
  await applyAll(session, first);
  let addresses = 0;
  for (const block of blocks) addresses += await importBlock(session, block);
  await applyAll(session, last);
  session.terminal.out(
    `Successfully imported ${resources.length} resource(s), ${blocks.length} block(s) with ${addresses} address(es)\n`,
  );
  if (leftOut.length === 0) return;
  throw new CommandError(`Cannot import all addresses, left out:\n  ${leftOut.join('\n  ')}`, {
    advice:
      'All else is imported. Those that are in a pool and in use need an IPReservation before "unlock".',
  });
}

async function applyAll({ connections }: Session, requests: readonly Request[]): Promise<void> {
  for (const request of requests) {
    await connections.ask('api', (client) => client.apply({ resource: toMessage(request) }));
  }
}

/** The number of its addresses. @throws CommandError when the new datastore has something else there */
async function importBlock({ connections }: Session, block: ImportedBlock): Promise<number> {
  const { name, cidr, node, addresses } = block;
  if (node !== undefined) {
    const { failed } = await connections.ask('ipam', (client) =>
      client.claimAffinity({ cidr, node }),
    );
    if (failed.length > 0) {
      throw new CommandError(
        `Cannot import IPAMBlock "${name}": "${cidr}" is another node's already, not "${node}"'s`,
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
