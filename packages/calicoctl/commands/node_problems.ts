import type { NodeProblem } from '@calico/proto/status/v1/policy';
import { CommandError } from '../command_error.ts';

/** @throws CommandError that names the nodes that did not answer; what others said has been printed */
export function refuseProblems(problems: readonly NodeProblem[]): void {
  if (problems.length === 0) return;
  const texts = problems.map(({ node, reason }) => `  ${node}: ${reason}`);
  throw new CommandError(`No answer from ${problems.length} node(s):\n${texts.join('\n')}`);
}
