// Edge of the administration: requests are checked, outcomes become wire answers.
import type {
  IpamAdminService,
  RepairRequest,
  FaultyRecord as WireRecord,
} from '@calico/proto/ipam/v1/admin';
import type { ServiceHandlers } from '@calico/rpc';
import { planPlacement } from '../core/placement_plan.ts';
import { planMigration } from '../core/programs/migration.ts';
import { placedBlocks } from '../core/programs/placed_blocks.ts';
import type { LeakedAddress } from '../core/programs/repair.ts';
import { splitPool } from '../core/programs/split_pool.ts';
import type { PoolSummary } from '../core/utilization_index.ts';
import { checkMessages, findingKind } from './check_messages.ts';
import type { FaultyRecord, Inspector } from './inspector.ts';
import type { NodeRemover } from './node_remover.ts';
import type { PlacementPlanner, PlannerState } from './placement_planner.ts';
import type { ProgramRunner } from './program_runner.ts';
import { addressOf, atMost, cidrOf, handleOf, nodeName, poolName, wrong } from './requests.ts';
import { answer, answerStream } from './rpc_errors.ts';
import type { UtilizationFeed } from './utilization_feed.ts';

const MAX_REPAIRS = 1000;

export type AdminParts = {
  readonly inspector: Inspector;
  readonly runner: ProgramRunner;
  readonly newUid: () => string;
  readonly feed: UtilizationFeed;
  readonly remover: NodeRemover;
  readonly planner: Pick<PlacementPlanner, 'state'>;
};

export function createAdminHandlers(parts: AdminParts): ServiceHandlers<typeof IpamAdminService> {
  const { inspector, runner, newUid, feed, remover, planner } = parts;
  return {
    check: (_request, { signal }) =>
      answerStream(async function* () {
        yield* checkMessages(await inspector.check(signal));
      }),
    repair: (request, { signal }) =>
      answer(async () => {
        const { leaks, records } = repairItems(request);
        const outcome = await inspector.repair(leaks, records, request.force, signal);
        return {
          releasedAddresses: [...outcome.released],
          repairedRecords: [...outcome.repaired],
          skipped: [...outcome.skipped],
        };
      }),
    splitPool: ({ pool, parts: count, dryRun }, { signal }) =>
      answer(async () => {
        const uids = Array.from({ length: Math.min(count, 64) }, newUid);
        const request = { pool: poolName('pool', pool), parts: count, dryRun, uids };
        const made = await runner.run((now) => splitPool(request, now), signal);
        return { parts: [...made] };
      }),
    planMigration: ({ from, to }, { signal }) =>
      answer(async () => {
        const names = [poolName('from', from), poolName('to', to)] as const;
        const plan = await runner.run((now) => planMigration(...names, now), signal);
        return {
          ...plan,
          workloads: [...plan.workloads],
          obstacles: [...plan.obstacles],
          tunnelAddresses: BigInt(plan.tunnelAddresses),
          free: plan.free.toString(),
          oldPoolDisabled: plan.isOldDisabled,
        };
      }),
    removeNode: ({ node }, { signal }) =>
      answer(async () => {
        const removed = await remover.remove(nodeName('node', node), signal);
        const { addresses, blocks, revision } = removed;
        return { releasedAddresses: [...addresses], releasedBlocks: [...blocks], revision };
      }),
    watchUtilization: ({ intervalMs }, { signal }) =>
      answerStream(async function* () {
        const interval = intervalOf(intervalMs);
        for await (const { changed, removed } of feed.changes(interval, signal)) {
          yield { pools: changed.map(summaryMessage), removed: [...removed] };
        }
      }),
    planPlacement: (_request, { signal }) =>
      answer(async () => {
        const blocks = await runner.run(placedBlocks, signal);
        const { routesBefore, routesAfter, moves } = planPlacement(blocks);
        return {
          routesBefore: BigInt(routesBefore),
          routesAfter: BigInt(routesAfter),
          moves: moves.map((move) => ({ ...move, routesSaved: BigInt(move.routesSaved) })),
          planner: plannerMessage(planner.state),
        };
      }),
  };
}

function intervalOf(intervalMs: number): number {
  if (intervalMs === 0) return 1000;
  if (intervalMs >= 100 && intervalMs <= 60_000) return intervalMs;
  throw wrong('interval_ms', String(intervalMs), '100 to 60000, or 0 for 1000');
}

function plannerMessage(state: PlannerState) {
  const { plannedAt, proposed, released } = state;
  return {
    ...state,
    plannedAtMs: BigInt(Math.trunc(plannedAt)),
    proposed: BigInt(proposed),
    released: BigInt(released),
  };
}

function summaryMessage(summary: PoolSummary) {
  const { capacity, inUse, reserved, free, blocks, borrowed } = summary;
  return {
    ...summary,
    capacity: capacity.toString(),
    inUse: BigInt(inUse),
    reserved: reserved.toString(),
    free: free.toString(),
    blocks: BigInt(blocks),
    borrowed: BigInt(borrowed),
  };
}

function repairItems({ addresses, records }: RepairRequest): {
  leaks: LeakedAddress[];
  records: FaultyRecord[];
} {
  atMost('addresses', addresses.length, MAX_REPAIRS);
  atMost('records', records.length, MAX_REPAIRS);
  return {
    leaks: addresses.map(({ address, handleId, sequenceNumber }, index) => ({
      address: addressOf(`addresses[${index}].address`, address),
      handleId: handleId === '' ? '' : handleOf(`addresses[${index}].handle_id`, handleId),
      sequenceNumber,
    })),
    records: records.map(recordOf),
  };
}

function recordOf({ kind, subject, revision }: WireRecord, index: number): FaultyRecord {
  const known = findingKind(kind);
  const field = `records[${index}]`;
  if (known === undefined) throw wrong(`${field}.kind`, String(kind), 'a kind of problem');
  if (known === 'missing-affinity') cidrOf(`${field}.subject`, subject);
  else if (known === 'wrong-affinity') affinityKeyOf(`${field}.subject`, subject);
  else handleOf(`${field}.subject`, subject);
  return { kind: known, subject, revision };
}

function affinityKeyOf(field: string, key: string): void {
  if (/^\/calico\/ipam\/v2\/(host|virtual)\/[^/]+\/ipv[46]\/block\/[^/]+$/.test(key)) return;
  throw wrong(field, key.slice(0, 300), 'the etcd key of an affinity');
}
