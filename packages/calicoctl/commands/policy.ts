import type { RuleStats } from '@calico/proto/felix/v1/policy';
import { formatPolicyStats, nameOf, totalsOf } from '../formats/policy_stats.ts';
import type { CommandAdder, Session } from '../session.ts';
import { refuseProblems } from './node_problems.ts';
import { showStaged } from './policy_staged.ts';
import { checkFormat } from './why.ts';

type StatsOptions = { readonly node?: string; readonly output: string };

export const addPolicy: CommandAdder = (parent, run) => {
  const policy = parent.command('policy').description('look at policies at work');
  policy
    .command('stats')
    .description('how many connections each rule has decided on, since felix started')
    .argument('[policy]', 'only this one: name, or namespace/name')
    .option('--node <name>', 'only of this node (default: all nodes, added up)')
    .option('-o, --output <format>', 'text or json', 'text')
    .addHelpText(
      'after',
      `
Counted are packets that a rule decided on: the first of each connection, and each one that is denied.
Packets of connections that have been allowed come to no rule.

Examples:
  calicoctl policy stats
  calicoctl policy stats default/allow-web
  calicoctl policy stats --node k8s-node01 -o json`,
    )
    .action((name: string | undefined, options: StatsOptions) =>
      run((session) => showStats(session, name, options)),
    );
  policy
    .command('staged')
    .description('what staged policies would change if they were enforced')
    .argument('[policy]', 'only this one: name, or namespace/name (default: all of them together)')
    .addHelpText(
      'after',
      `
Staged policies are never enforced. Shown are the pairs of endpoints that would be treated differently and the
current connections that would be cut, as by "apply --dry-run" of the policies that they stand for.

Examples:
  calicoctl policy staged
  calicoctl policy staged shop/allow-web`,
    )
    .action((name: string | undefined) => run((session) => showStaged(session, name)));
};

async function showStats(
  { connections, terminal }: Session,
  policy: string | undefined,
  { node = '', output }: StatsOptions,
): Promise<void> {
  checkFormat(output);
  const { nodes, problems } = await connections.ask('policy', (client) =>
    client.listPolicyStats({ node }),
  );
  const stats = totalsOf(nodes).filter(
    (one) => policy === undefined || (one.kind !== '' && nameOf(one) === policy),
  );
  terminal.out(output === 'json' ? jsonOf(stats) : formatPolicyStats(stats));
  refuseProblems(problems);
}

/** Numbers above 2^53 lose their last digits: nobody counts so many connections. */
function jsonOf(stats: readonly RuleStats[]): string {
  const plain = stats.map(
    ({ kind, namespace, name, direction, rule, action, description, packets, bytes }) => ({
      kind,
      namespace,
      name,
      direction,
      rule,
      action,
      description,
      packets: Number(packets),
      bytes: Number(bytes),
    }),
  );
  return `${JSON.stringify(plain, undefined, 2)}\n`;
}
