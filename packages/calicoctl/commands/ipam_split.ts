// `ipam split`: a pool into equal parts, so that they can be configured one by one.
import { CommandError } from '../command_error.ts';
import { formatTable } from '../formats/ascii_table.ts';
import type { CommandAdder, Session } from '../session.ts';

type SplitOptions = {
  readonly cidr?: string;
  readonly name?: string;
  readonly dryRun?: boolean;
};

export const addSplit: CommandAdder = (ipam, run) => {
  ipam
    .command('split')
    .description('replace a pool by equal parts; addresses in use stay as they are')
    .argument('<parts>', 'how many: 2, 4, 8, 16 or 32')
    .option('--cidr <cidr>', 'CIDR of the pool')
    .option('--name <name>', 'name of the pool')
    .option('--dry-run', 'only show the parts')
    .addHelpText(
      'after',
      `
Examples:
  calicoctl ipam split 4 --cidr=10.244.0.0/16 --dry-run
  calicoctl ipam split 4 --name=default-ipv4-ippool

The parts are called split-POOL-0, split-POOL-1 and so on, and take the pool's place at one instant.`,
    )
    .action((parts: string, options: SplitOptions) =>
      run((session) => split(session, parts, options)),
    );
};

async function split(session: Session, text: string, options: SplitOptions): Promise<void> {
  const { cidr, name, dryRun = false } = options;
  const pool = cidr ?? name;
  if (pool === undefined || (cidr !== undefined && name !== undefined)) {
    throw new CommandError('Cannot choose the pool: expected either --cidr or --name');
  }
  if (!/^[0-9]{1,3}$/.test(text)) {
    throw new CommandError(`Cannot split into "${text}" parts: expected 2, 4, 8, 16 or 32`);
  }
  const request = { pool, parts: Number(text), dryRun };
  const { parts } = await session.connections.ask('ipamAdmin', (client) =>
    client.splitPool(request),
  );
  session.terminal.out(
    formatTable(
      ['Name', 'CIDR'],
      parts.map((part) => [part.name, part.cidr]),
    ),
  );
  session.terminal.out(
    dryRun
      ? `IP pool ${pool} would be split into ${parts.length} IP pools; nothing was changed\n`
      : `Successfully split IP pool ${pool} into ${parts.length} IP pools\n`,
  );
}
