import type { CommandAdder } from '../session.ts';
import { VERSION } from '../version.ts';

export const addVersion: CommandAdder = (parent, run) => {
  parent
    .command('version')
    .description('show the versions of this client and of the cluster')
    .option('--client', 'of this client only')
    .action((options: { readonly client?: boolean }) =>
      run(async ({ connections, terminal }) => {
        terminal.out(`Client Version:    ${VERSION}\n`);
        if (options.client === true) return;
        const found = await connections.ask('api', (client) => client.getVersion({}));
        terminal.out(`Cluster Version:   ${found.version}\n`);
        terminal.out(`Cluster Type:      ${found.clusterType}\n`);
        terminal.out(`Cluster GUID:      ${found.clusterGuid}\n`);
      }),
    );
};
