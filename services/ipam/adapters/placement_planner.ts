// The background planner: looks in every round which empty blocks stand in the way of short routes, tells
// of it, and gives them back only if it may. A block is given back when two rounds in a row have proposed
// it, and if it is still empty then: a node that needs it soon keeps it. Several ipam processes may plan
// at once; giving back twice is giving back once.
import type { Clock } from '@calico/clock';
import { parsePrefix } from '@calico/ip';
import type { Logger, Metrics } from '@calico/telemetry';
import { type Move, type PlacementPlan, planPlacement } from '../core/placement_plan.ts';
import { releaseBlock } from '../core/programs/claim.ts';
import { placedBlocks } from '../core/programs/placed_blocks.ts';
import type { ProgramRunner } from './program_runner.ts';

export type PlannerOptions = {
  readonly runner: ProgramRunner;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  readonly metrics: Metrics;
  /** 0: does not plan on its own. */
  readonly intervalSeconds: number;
  /** Gives back what it proposes. */
  readonly applies: boolean;
};

export type PlannerState = {
  readonly intervalSeconds: number;
  readonly applies: boolean;
  /** Of the last round, milliseconds since the epoch; 0: none yet. */
  readonly plannedAt: number;
  /** Blocks that the last round proposed. */
  readonly proposed: number;
  /** Blocks that were given back since the process started. */
  readonly released: number;
};

/** Given back in one round at most. */
const MOST_RELEASED = 32;
const NAMED = 5;

export class PlacementPlanner {
  readonly #options: PlannerOptions;
  readonly #gauges: Readonly<Record<'moves' | 'routes' | 'fewest', ReturnType<Metrics['gauge']>>>;
  readonly #released: ReturnType<Metrics['counter']>;
  #before = new Set<string>();
  #state: PlannerState;

  constructor(options: PlannerOptions) {
    const { metrics, intervalSeconds, applies } = options;
    this.#options = options;
    this.#gauges = {
      moves: metrics.gauge('ipam_plan_blocks', 'Empty blocks that would better be given back'),
      routes: metrics.gauge('ipam_plan_routes', 'Routes to all nodes, blocks of a node merged'),
      fewest: metrics.gauge('ipam_plan_routes_after', 'The same without the proposed blocks'),
    };
    this.#released = metrics.counter(
      'ipam_plan_released_blocks_total',
      'Blocks that the planner gave back',
    );
    this.#state = { intervalSeconds, applies, plannedAt: 0, proposed: 0, released: 0 };
  }

  get state(): PlannerState {
    return this.#state;
  }

  /** Plans until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, intervalSeconds } = this.#options;
    if (intervalSeconds === 0) return;
    while (!signal.aborted) {
      await clock.sleep(intervalSeconds * 1000, signal).catch(() => {});
      if (signal.aborted) return;
      await this.round(signal).catch((cause: unknown) => {
        // Readiness tells that etcd is away; the next round comes.
        if (!signal.aborted) logger.warn('no placement plan', { cause: String(cause) });
      });
    }
  }

  async round(signal?: AbortSignal): Promise<PlacementPlan> {
    const { runner, clock } = this.#options;
    const plan = planPlacement(await runner.run(placedBlocks, signal));
    const again = plan.moves.filter((move) => this.#before.has(keyOf(move)));
    this.#tell(plan);
    const released = this.#options.applies ? await this.#release(again, signal) : 0;
    this.#state = {
      ...this.#state,
      plannedAt: clock.now(),
      proposed: plan.moves.length,
      released: this.#state.released + released,
    };
    return plan;
  }

  async #release(moves: readonly Move[], signal: AbortSignal | undefined): Promise<number> {
    const { runner, logger } = this.#options;
    const released: string[] = [];
    for (const { block, node } of moves.slice(0, MOST_RELEASED)) {
      const cidr = parsePrefix(block);
      const outcome = await runner.run((now) => releaseBlock(cidr, node, true, now), signal);
      if (outcome === 'released') released.push(block);
    }
    if (released.length > 0) {
      this.#released.add(released.length);
      logger.info('empty blocks were given back for shorter routes', { blocks: released });
    }
    return released.length;
  }

  /** In the log only what is new. */
  #tell({ moves, routesBefore, routesAfter }: PlacementPlan): void {
    this.#gauges.moves.set(moves.length);
    this.#gauges.routes.set(routesBefore);
    this.#gauges.fewest.set(routesAfter);
    const keys = new Set(moves.map(keyOf));
    if (!keys.isSubsetOf(this.#before)) {
      const blocks = moves.slice(0, NAMED).map(({ block, node }) => `${block} of ${node}`);
      const counts = { blocks: moves.length, routesBefore, routesAfter };
      this.#options.logger.info('empty blocks could be given back', { ...counts, first: blocks });
    }
    this.#before = keys;
  }
}

function keyOf({ block, node }: Move): string {
  return `${block} ${node}`;
}
