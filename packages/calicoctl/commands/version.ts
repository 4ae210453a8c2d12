import { setTimeout as pause } from 'node:timers/promises';
import { CommandError } from '../command_error.ts';
import { parseDuration } from '../duration.ts';
import type { CommandAdder } from '../session.ts';
import type { Terminal } from '../terminal.ts';
import { VERSION } from '../version.ts';

type Options = { readonly client?: boolean; readonly poll?: string };

type ClusterVersion = {
  readonly version: string;
  readonly clusterType: string;
  readonly clusterGuid: string;
};

export const addVersion: CommandAdder = (parent, run) => {
  parent
    .command('version')
    .description('show the versions of this client and of the cluster')
    .option('--client', 'of this client only')
    .option(
      '-p, --poll <duration>',
      'look again so often (at most 24h), and say what has changed; 0: only once',
    )
    .action(({ client, poll = '0' }: Options) =>
      run(async ({ connections, terminal }) => {
        const intervalMs = parseDuration(poll);
        terminal.out(`Client Version:    ${VERSION}\n`);
        if (client === true) return;
        const ask = () => connections.ask('api', (api) => api.getVersion({}));
        if (intervalMs === 0) terminal.out(describe(await ask()));
        else await followVersion(ask, terminal, () => pause(intervalMs));
      }),
    );
};

/** Says the version, and again when it or the reason why it cannot be had is another one; until `wait` throws. */
export async function followVersion(
  ask: () => Promise<ClusterVersion>,
  { out, err }: Pick<Terminal, 'out' | 'err'>,
  wait: () => Promise<void>,
): Promise<never> {
  let said = '';
  for (;;) {
    const [say, text] = await ask().then(
      (found) => [out, describe(found)] as const,
      (cause: unknown) => [err, failureOf(cause)] as const,
    );
    if (text !== said) say(text);
    said = text;
    await wait();
  }
}

function describe({ version, clusterType, clusterGuid }: ClusterVersion): string {
  return `Cluster Version:   ${version}\nCluster Type:      ${clusterType}\nCluster GUID:      ${clusterGuid}\n`;
}

/** The cluster may be away while it is upgraded. */
function failureOf(cause: unknown): string {
  if (cause instanceof CommandError) return `${cause.message}\n`;
  throw cause;
}
