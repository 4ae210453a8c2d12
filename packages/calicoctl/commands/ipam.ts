import type { Command } from 'commander';
import {
  formatAssignment,
  formatBorrowed,
  formatIpamConfiguration,
  formatUtilization,
} from '../formats/ipam.ts';
import type { CommandAdder, Runner, Session } from '../session.ts';
import { addCheck } from './ipam_check.ts';
import { addConfigure, readConfiguration } from './ipam_configure.ts';
import { addMigrate } from './ipam_migrate.ts';
import { addPlan } from './ipam_plan.ts';
import { addRelease } from './ipam_release.ts';
import { addSplit } from './ipam_split.ts';

export const addIpam: CommandAdder = (parent, run) => {
  const ipam = parent.command('ipam').description('look at addresses and change who holds them');
  for (const add of [addShow, addCheck, addRelease, addConfigure, addSplit, addMigrate, addPlan]) {
    add(ipam, run);
  }
};

type ShowOptions = {
  readonly showBlocks?: boolean;
  readonly showBorrowed?: boolean;
  readonly showConfiguration?: boolean;
  readonly ip?: string;
};

function addShow(ipam: Command, run: Runner): void {
  ipam
    .command('show')
    .description('show how pools and blocks are used, or who holds an address')
    .option('--ip <address>', 'who holds this address')
    .option('--show-blocks', 'the blocks of each pool too')
    .option('--show-borrowed', "addresses that nodes use out of other nodes' blocks")
    .option('--show-configuration', 'the configuration of IPAM')
    .addHelpText(
      'after',
      `
Examples:
  calicoctl ipam show --show-blocks
  calicoctl ipam show --ip=10.244.58.193`,
    )
    .action((options: ShowOptions) => run((session) => show(session, options)));
}

async function show(session: Session, options: ShowOptions): Promise<void> {
  const { connections, terminal } = session;
  const { ip } = options;
  if (ip !== undefined) {
    const found = await connections.ask('ipam', (client) => client.getAssignment({ address: ip }));
    terminal.out(formatAssignment(ip, found));
  } else if (options.showConfiguration === true) {
    terminal.out(formatIpamConfiguration(await readConfiguration(session)));
  } else {
    const { pools } = await connections.ask('ipam', (client) => client.getUtilization({}));
    const text =
      options.showBorrowed === true
        ? formatBorrowed(pools)
        : formatUtilization(pools, { withBlocks: options.showBlocks === true });
    terminal.out(text);
  }
}
