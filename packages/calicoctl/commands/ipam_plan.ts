// `ipam plan`: which empty blocks nodes should give back so that fewer routes are needed.
import type { PlacementMove, PlannerState } from '@calico/proto/ipam/v1/admin';
import { formatTable } from '../formats/ascii_table.ts';
import type { CommandAdder, Session } from '../session.ts';
import { codeOf } from './write.ts';

type PlanOptions = { readonly apply?: boolean };

export const addPlan: CommandAdder = (ipam, run) => {
  ipam
    .command('plan')
    .description('show which free space could stand elsewhere, so that fewer routes are needed')
    .option('--apply', 'give the listed blocks back')
    .addHelpText(
      'after',
      `
Examples:
  calicoctl ipam plan
  calicoctl ipam plan --apply

Only blocks without any address are listed. Nodes draw their next block beside those that they have,
and near those of nodes with the same labels (topology.kubernetes.io/zone, and the topologyLabel of
the IPAMConfiguration).`,
    )
    .action((options: PlanOptions) => run((session) => plan(session, options)));
};

async function plan(session: Session, { apply = false }: PlanOptions): Promise<void> {
  const { connections, terminal } = session;
  const found = await connections.ask('ipamAdmin', (client) => client.planPlacement({}));
  const { moves, routesBefore, routesAfter, planner } = found;
  if (moves.length > 0) {
    const rows = moves.map(({ block, node, routesSaved, reason }) => [
      block,
      node,
      String(routesSaved),
      reason,
    ]);
    terminal.out(formatTable(['Block', 'Node', 'Routes saved', 'Reason'], rows));
  }
  terminal.out(
    `${routesBefore} routes to all nodes; ${routesAfter} without the ${moves.length} blocks listed.\n`,
  );
  if (planner !== undefined) terminal.out(onItsOwn(planner));
  if (apply) await giveBack(session, moves);
}

function onItsOwn({ intervalSeconds, applies, plannedAtMs, released }: PlannerState): string {
  if (intervalSeconds === 0) return 'ipam does not plan on its own.\n';
  const manner = applies ? `gives such blocks back, ${released} so far` : 'only tells of them';
  const last = plannedAtMs === 0n ? 'none yet' : new Date(Number(plannedAtMs)).toISOString();
  return `ipam looks every ${intervalSeconds} s and ${manner}; last round: ${last}.\n`;
}

async function giveBack(
  { connections, terminal }: Session,
  moves: readonly PlacementMove[],
): Promise<void> {
  let count = 0;
  for (const { block, node } of moves) {
    try {
      const request = { cidr: block, node, mustBeEmpty: true };
      const { released } = await connections.ask('ipam', (client) =>
        client.releaseAffinity(request),
      );
      count += released.length;
    } catch (cause) {
      if (codeOf(cause) !== 'FAILED_PRECONDITION') throw cause;
      terminal.out(`Skipped ${block}: it is in use now\n`);
    }
  }
  terminal.out(`Successfully released ${count} blocks\n`);
}
