// StatusService on top of the board.
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Clock } from '@calico/clock';
import { findKind, KINDS } from '@calico/model';
import type { NodeEndpoints, NodeEndpointsSchema } from '@calico/proto/events/v1/events';
import type { AppliedTarget, StatusService } from '@calico/proto/status/v1/status';
import { RpcError, type ServiceHandlers } from '@calico/rpc';
import { appliedProgress, type Progress } from '../core/applied_progress.ts';
import type { NodeReports } from '../core/node_reports.ts';
import { type NodeStatus, nodeStatus } from '../core/node_status.ts';
import { type BoardChange, BoardChanges } from './board_changes.ts';
import type { StatusBoard } from './status_board.ts';
import { ToldStatuses } from './told_statuses.ts';

/** How soon a watcher learns that a node has fallen silent. */
const LOOK_AGAIN_MS = 5_000;

export function createHandlers(
  board: StatusBoard,
  clock: Clock,
): ServiceHandlers<typeof StatusService> {
  const statusOf = (node: string): NodeStatus =>
    nodeStatus(node, board.reportsOf(node), clock.now());
  const reportsFor = (node: string): NodeReports[] => {
    const nodes = node === '' ? board.nodes : [known(board, node)];
    return nodes.flatMap((each) => board.reportsOf(each) ?? []);
  };
  return {
    listNodes: async () => ({ nodes: board.nodes.map(statusOf) }),

    async *watchNodes(_request, { signal }) {
      const changes = new BoardChanges(board, signal);
      const told = new ToldStatuses();
      try {
        let change: BoardChange | undefined = { nodes: new Set(), listChanged: true };
        while (change !== undefined) {
          const { nodes, listChanged } = change;
          // Nothing for a while: somebody may have fallen silent, which nobody reports.
          const isAll = listChanged || nodes.size === 0;
          for (const node of isAll ? board.nodes : nodes) {
            if (!isAll && !board.has(node)) continue;
            const status = statusOf(node);
            if (told.isNews(status)) yield { node: status };
          }
          if (isAll) told.keep(board.nodes);
          change = await changes.next(clock, LOOK_AGAIN_MS);
        }
      } finally {
        changes.close();
      }
    },

    listPeers: async ({ node }) => ({
      nodes: reportsFor(node).flatMap(({ peers }) => peers ?? []),
    }),
    listEndpoints: async ({ node }) => ({
      nodes: reportsFor(node).flatMap(({ endpoints }) => wholeOf(endpoints)),
    }),

    async *waitApplied({ targets }, { signal }) {
      checkTargets(targets);
      const newest = targets.reduce(
        (most, { revision }) => (revision > most ? revision : most),
        0n,
      );
      const progress = (): Progress =>
        appliedProgress(targets, board.nodes, (node) => board.reportsOf(node));
      let said: Progress | undefined;
      const changes = new BoardChanges(board, signal);
      try {
        do {
          const now = progress();
          const complete = board.knowsNodesAt(newest) && now.waitingFor.length === 0;
          const moved =
            said?.nodesApplied !== now.nodesApplied || said.nodesTotal !== now.nodesTotal;
          if (complete || moved) yield { ...now, waitingFor: [...now.waitingFor] };
          if (complete) return;
          said = now;
        } while ((await changes.next(clock, LOOK_AGAIN_MS)) !== undefined);
      } finally {
        changes.close();
      }
    },
  };
}

/** What a node said in parts, as one; nothing when it has not said all. */
function wholeOf(parts: readonly NodeEndpoints[]): MessageInitShape<typeof NodeEndpointsSchema>[] {
  const newest = parts.at(-1);
  if (newest === undefined) return [];
  const { node, time } = newest;
  return [
    {
      node,
      endpoints: parts.flatMap(({ endpoints }) => endpoints),
      ...(time === undefined ? {} : { time }),
    },
  ];
}

function checkTargets(targets: readonly AppliedTarget[]): void {
  if (targets.length === 0) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      'Cannot wait: targets is empty, expected at least one kind with its revision',
    );
  }
  for (const { kind } of targets) {
    if (findKind(kind) === undefined) {
      throw new RpcError(
        'INVALID_ARGUMENT',
        `Cannot wait for kind "${kind}": expected one of ${Object.keys(KINDS).join(', ')}`,
      );
    }
  }
}

function known(board: StatusBoard, node: string): string {
  if (board.has(node)) return node;
  throw new RpcError(
    'NOT_FOUND',
    `Cannot find node "${node}": the cluster has ${board.nodes.join(', ') || 'none'}`,
  );
}
