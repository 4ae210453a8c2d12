// `datastore migrate`: everything of one cluster into the etcd of another.
import type { CommandAdder } from '../session.ts';
import { addExport } from './datastore_export.ts';
import { addImport } from './datastore_import.ts';
import { addLock, addUnlock } from './datastore_lock.ts';

export const addDatastore: CommandAdder = (parent, run) => {
  const migrate = parent
    .command('datastore')
    .description('move what the cluster stores')
    .command('migrate')
    .description('move all resources and addresses to another datastore')
    .addHelpText(
      'after',
      `
In order, OLD and NEW being the addresses of the api of each (ipam is needed of NEW only):
  CALICO_API_ADDRESS=OLD calicoctl datastore migrate lock --wait
  CALICO_API_ADDRESS=OLD calicoctl datastore migrate export > cluster.yaml
  CALICO_API_ADDRESS=NEW calicoctl datastore migrate lock
  CALICO_API_ADDRESS=NEW calicoctl datastore migrate import -f cluster.yaml
  CALICO_API_ADDRESS=NEW calicoctl ipam check
  (let the services of all nodes use NEW, and restart them)
  CALICO_API_ADDRESS=NEW calicoctl datastore migrate unlock

While a datastore is locked no pod is added; what runs goes on, and pods can be deleted. Do not change
resources of OLD after the export: NEW does not hear of it.`,
    );
  for (const add of [addLock, addUnlock, addExport, addImport]) add(migrate, run);
};
