// `node`: what concerns the node that the command runs on.
import type { CommandAdder } from '../session.ts';
import { addCheckSystem } from './node_checksystem.ts';
import { addNodeDiags } from './node_diags.ts';
import { addNodeRun } from './node_run.ts';
import { addNodeStatus } from './node_status.ts';

export const addNode: CommandAdder = (parent, run) => {
  const node = parent.command('node').description('look at the node that this command runs on');
  for (const add of [addNodeStatus, addCheckSystem, addNodeDiags, addNodeRun]) add(node, run);
};
