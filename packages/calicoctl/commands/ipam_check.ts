// `ipam check`: looks for contradictions and changes nothing.
import { writeFile } from 'node:fs/promises';
import { CommandError } from '../command_error.ts';
import { type Check, formatCheck } from '../formats/ipam_check.ts';
import { formatReport } from '../formats/ipam_report.ts';
import type { CommandAdder, Session } from '../session.ts';

type CheckOptions = {
  readonly output?: string;
  readonly showAllIps?: boolean;
  readonly showProblemIps?: boolean;
};

export const addCheck: CommandAdder = (ipam, run) => {
  ipam
    .command('check')
    .description('compare blocks, handles, affinities, nodes and workloads; changes nothing')
    .option('--show-all-ips', 'every assigned address, and every problem')
    .option('--show-problem-ips', 'every problem')
    .option('-o, --output <file>', 'write a report, for "ipam release --from-report"')
    .addHelpText(
      'after',
      `
Examples:
  calicoctl ipam check --show-problem-ips
  calicoctl ipam check -o report.json

Everything is read as it was at one revision of etcd: what changes meanwhile makes no problem.`,
    )
    .action((options: CheckOptions) => run((session) => check(session, options)));
};

async function check(session: Session, options: CheckOptions): Promise<void> {
  const { output, showAllIps = false, showProblemIps = false } = options;
  const found = await readCheck(session);
  session.terminal.out(formatCheck(found, { allIps: showAllIps, problemIps: showProblemIps }));
  if (output !== undefined) await writeReport(output, formatReport(found));
}

async function readCheck({ connections }: Session): Promise<Check> {
  return connections.ask('ipamAdmin', async (client) => {
    const parts = await Array.fromAsync(client.check({}));
    const summary = parts[0]?.summary;
    if (summary === undefined) throw new CommandError('Cannot check IPAM: the answer is empty');
    return {
      summary,
      blocks: parts.flatMap(({ blocks }) => blocks),
      allocations: parts.flatMap(({ allocations }) => allocations),
      problems: parts.flatMap(({ problems }) => problems),
    };
  });
}

async function writeReport(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new CommandError(`Cannot write report "${file}": ${(cause as Error).message}`, { cause });
  }
}
