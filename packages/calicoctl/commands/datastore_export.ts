// `datastore migrate export`: all resources, and the blocks with what is assigned of them.
import { KINDS, type Kind } from '@calico/model';
import type { Resource } from '@calico/proto/api/v1/resources';
import { stringify } from 'yaml';
import { blocksAndEndpoints } from '../blocks_and_endpoints.ts';
import { CommandError } from '../command_error.ts';
import { portable, YAML } from '../formats/output.ts';
import type { ResourceDocument } from '../formats/resource_columns.ts';
import { listResources } from '../list_resources.ts';
import { toDocument } from '../requests.ts';
import type { CommandAdder, Session } from '../session.ts';
import { isLocked } from './datastore_lock.ts';

export const addExport: CommandAdder = (migrate, run) => {
  migrate
    .command('export')
    .description('print everything that the datastore holds, for "import"')
    .addHelpText(
      'after',
      `
Example:
  calicoctl datastore migrate export > cluster.yaml

The datastore has to be locked, so that no address is assigned while it is read. Left out is what
belongs to the old cluster alone: its ClusterInformation, and uid, revision and time of resources.`,
    )
    .action(() => run(exportAll));
};

/** What others name. */
const FIRST: readonly Kind[] = ['Tier', 'IPAMConfiguration', 'IPPool', 'IPReservation', 'Node'];
/** Behind all others, and read together. */
const LAST: readonly Kind[] = ['IPAMBlock', 'WorkloadEndpoint'];
/** Made anew in every cluster, or made from the blocks. */
const LEFT_OUT: readonly Kind[] = ['ClusterInformation', 'BlockAffinity'];

async function exportAll(session: Session): Promise<void> {
  if (!(await isLocked(session))) {
    throw new CommandError('Cannot export the datastore: it is not locked', {
      advice: 'Run "calicoctl datastore migrate lock --wait" first.',
    });
  }
  const list = async (kind: Kind) => (await listResources(session, kind)).resources;
  for (const kind of orderedKinds()) print(session, await list(kind));
  print(session, await blocksAndEndpoints(list));
}

function print({ terminal }: Session, resources: readonly Resource[]): void {
  for (const resource of resources) {
    const document = portable(toDocument(resource));
    if (!isBuiltIn(document)) terminal.out(`---\n${stringify(document, YAML)}`);
  }
}

/** Without the last. */
function orderedKinds(): Kind[] {
  const apart = new Set([...FIRST, ...LAST, ...LEFT_OUT]);
  const others = Object.values(KINDS).map(({ kind }) => kind);
  return [...FIRST, ...others.filter((kind) => !apart.has(kind))];
}

/** The same in every cluster, and not to be written. */
function isBuiltIn({ kind, metadata }: ResourceDocument): boolean {
  return kind === 'Profile' && metadata.name === 'projectcalico-default-allow';
}
