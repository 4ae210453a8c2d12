// Whether pods may be added: ClusterInformation's datastoreReady, which felix of every node looks at.
import { PatchType } from '@calico/proto/api/v1/resources';
import { toDocument } from '../requests.ts';
import type { CommandAdder, Session } from '../session.ts';
import { waitApplied } from '../wait_applied.ts';
import { type WaitFlags, waitTimeout, withWaitOptions } from './file_options.ts';

export const addLock: CommandAdder = (migrate, run) => {
  const command = migrate
    .command('lock')
    .description('have no pod added until "unlock"')
    .addHelpText('after', '\nExample:\n  calicoctl datastore migrate lock --wait');
  withWaitOptions(command).action((options: WaitFlags) =>
    run((session) => setReady(session, false, options)),
  );
};

export const addUnlock: CommandAdder = (migrate, run) => {
  const command = migrate
    .command('unlock')
    .description('let pods be added again')
    .addHelpText('after', '\nExample:\n  calicoctl datastore migrate unlock');
  withWaitOptions(command).action((options: WaitFlags) =>
    run((session) => setReady(session, true, options)),
  );
};

const KEY = { kind: 'ClusterInformation', namespace: '', name: 'default' } as const;

async function setReady(session: Session, isReady: boolean, options: WaitFlags): Promise<void> {
  const { connections, terminal } = session;
  const timeoutMs = waitTimeout(options);
  const startedMs = terminal.elapsedMs();
  const patch = JSON.stringify({ spec: { datastoreReady: isReady } });
  const { resource } = await connections.ask('api', (client) =>
    client.patch({ key: KEY, type: PatchType.MERGE, patch }),
  );
  terminal.out(`Datastore ${isReady ? 'unlocked' : 'locked'}.\n`);
  if (timeoutMs === undefined || resource === undefined) return;
  const targets = [{ kind: KEY.kind, revision: resource.revision }];
  terminal.out(`${await waitApplied(session, targets, { timeoutMs, startedMs })}\n`);
}

export async function isLocked({ connections }: Session): Promise<boolean> {
  const { resource } = await connections.ask('api', (client) => client.get({ key: KEY }));
  return toDocument(resource).spec?.['datastoreReady'] === false;
}
