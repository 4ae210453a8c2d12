// `ipam migrate`: from one pool to another, for other addresses or another block size.

import { PatchType } from '@calico/proto/api/v1/resources';
import type { PlanMigrationResponse } from '@calico/proto/ipam/v1/admin';
import { CommandError } from '../command_error.ts';
import { formatTable } from '../formats/ascii_table.ts';
import type { CommandAdder, Session } from '../session.ts';

type MigrateOptions = {
  readonly fromPool?: string;
  readonly toPool?: string;
  readonly dryRun?: boolean;
};

export const addMigrate: CommandAdder = (ipam, run) => {
  ipam
    .command('migrate')
    .description('move from one pool to another: disables the old one, shows what is left to do')
    .requiredOption('--from-pool <pool>', 'name or CIDR of the old pool')
    .requiredOption('--to-pool <pool>', 'name or CIDR of the new pool')
    .option('--dry-run', 'only show what it takes')
    .addHelpText(
      'after',
      `
Example, for blocks of another size:
  calicoctl apply -f new-pool.yaml
  calicoctl ipam migrate --from-pool=old-pool --to-pool=new-pool --dry-run
  calicoctl ipam migrate --from-pool=old-pool --to-pool=new-pool

No running workload loses its address: those listed get one of the new pool when they are started
again. Repeat the command to see what is left.`,
    )
    .action((options: MigrateOptions) => run((session) => migrate(session, options)));
};

async function migrate(session: Session, options: MigrateOptions): Promise<void> {
  const { terminal, connections } = session;
  const request = { from: options.fromPool ?? '', to: options.toPool ?? '' };
  if (request.from === request.to) {
    throw new CommandError(
      `Cannot migrate from pool "${request.from}" to itself: expected another pool for --to-pool`,
    );
  }
  const plan = await connections.ask('ipamAdmin', (client) => client.planMigration(request));
  terminal.out(formatPlan(plan));
  if (plan.obstacles.length > 0) {
    throw new CommandError(
      `Cannot migrate from pool "${plan.from}" to "${plan.to}": ${plan.obstacles.join('; ')}`,
    );
  }
  if (options.dryRun === true) {
    terminal.out('Nothing was changed.\n');
    return;
  }
  if (!plan.oldPoolDisabled) await disable(session, plan.from);
  terminal.out(nextStep(plan));
}

async function disable({ connections, terminal }: Session, name: string): Promise<void> {
  const key = { kind: 'IPPool', namespace: '', name };
  const patch = JSON.stringify({ spec: { disabled: true } });
  await connections.ask('api', (client) => client.patch({ key, type: PatchType.MERGE, patch }));
  terminal.out(`Successfully disabled IP pool ${name}\n`);
}

function formatPlan({ workloads, tunnelAddresses, free, to }: PlanMigrationResponse): string {
  const rows = workloads.map(({ node, workload, address }) => [node, workload, address]);
  return [
    ...(rows.length === 0 ? [] : [formatTable(['Node', 'Workload', 'IP'], rows).trimEnd()]),
    `${workloads.length} workload IPs and ${tunnelAddresses} tunnel IPs to move; ${free} free in IP pool ${to}.`,
    '',
  ].join('\n');
}

function nextStep({ workloads, from }: PlanMigrationResponse): string {
  return workloads.length === 0
    ? `No workload is left: delete it with "calicoctl delete ippool ${from}".\n`
    : `Start ${workloads.length} workloads again, node by node, then repeat this command.\n`;
}
