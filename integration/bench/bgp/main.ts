// How fast the speaker is, beside BIRD 2, FRR and GoBGP in the same run: interleaved, medians.
//   sudo node integration/bench/bgp/main.ts kernel --sizes 10000,100000 --repeat 3
//   sudo node integration/bench/bgp/main.ts rib receiver kernel mesh reflector equals
// Rows of Markdown: seconds until done, CPU seconds, peak memory, bytes per path, how late our event loop
// was, and ratios to the others. "players" is the CPU time of the benchmark, which plays the peers.
import { parseArgs } from 'node:util';
import { percentile } from '../figures.ts';
import { Arena } from './arena.ts';
import { bird } from './bird.ts';
import type { Daemon } from './daemon.ts';
import { frr } from './frr.ts';
import { gobgp } from './gobgp.ts';
import { measure, type Sample } from './measure.ts';
import { ours } from './ours.ts';
import { type RawCost, rawCost } from './raw_netlink.ts';
import { formatRows } from './table.ts';
import { WORKLOADS, type Workload } from './workloads.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sizes: { type: 'string' },
    repeat: { type: 'string', default: '3' },
    daemons: { type: 'string', default: 'bird,ours,frr,gobgp' },
    /** Seconds after which a measurement is given up, and its daemon is not measured any more. */
    limit: { type: 'string', default: '60' },
    /** Folder for CPU profiles of ours. */
    profile: { type: 'string' },
  },
});

const ALL: Readonly<Record<string, Daemon>> = { bird, frr, gobgp, ours: ours(options.profile) };
/** Of the arena's only interface: the first after lo. */
const INTERFACE = 2;

async function run(arena: Arena, workload: Workload, size: number): Promise<void> {
  const wanted = options.daemons.split(',').map((name) => ALL[name]);
  let daemons = wanted.filter((daemon) => daemon !== undefined);
  if (workload.hasKernel) daemons = daemons.filter(({ hasKernel }) => hasKernel);
  const plan = workload.plan(size);
  const samples = new Map<Daemon, Sample[]>(daemons.map((daemon) => [daemon, []]));
  const raw: Record<'plain' | 'object', RawCost[]> = { plain: [], object: [] };
  for (let round = 0; round < Number(options.repeat); round++) {
    for (const daemon of daemons) {
      try {
        const signal = AbortSignal.timeout(Number(options.limit) * 1000);
        samples.get(daemon)?.push(await measure(arena, daemon, plan, signal));
      } catch (error) {
        console.error(`${daemon.name}, ${workload.title}, ${size}: ${String(error)}`);
        daemons = daemons.filter((each) => each !== daemon);
      }
    }
    if (plan.space.length !== 24 || !workload.hasKernel) continue;
    for (const kind of ['plain', 'object'] as const) {
      raw[kind].push(rawCost(arena.inside, size, INTERFACE, kind === 'object'));
      await arena.flush();
    }
  }
  const rows = new Map(Array.from(samples, ([{ name }, list]) => [name, medians(list)]));
  console.log(formatRows(workload, size, rows));
  for (const [kind, list] of Object.entries(raw)) {
    if (list.length === 0) continue;
    const mine = rows.get('ours');
    const texts = (['seconds', 'cpu'] as const).map((field) => {
      const limit = percentile(
        list.map((cost) => cost[field]),
        50,
      );
      const ratio =
        mine === undefined ? '' : `, ours ${(mine[field] / limit).toFixed(2)} times that`;
      return `${field} ${limit.toFixed(3)}${ratio}`;
    });
    console.log(`\nraw netlink, ${kind}: ${texts.join('; ')}`);
  }
}

function medians(samples: readonly Sample[]): Sample | undefined {
  const [first] = samples;
  if (first === undefined) return undefined;
  const keys = Object.keys(first) as (keyof Sample)[];
  return Object.fromEntries(
    keys.map((key) => [
      key,
      percentile(
        samples.map((sample) => sample[key]),
        50,
      ),
    ]),
  ) as Sample;
}

const arena = new Arena();
const stop = (): void => void arena.close().then(() => process.exit(1));
process.once('SIGINT', stop);
process.once('SIGTERM', stop);
try {
  await arena.open();
  for (const name of positionals.length === 0 ? Object.keys(WORKLOADS) : positionals) {
    const workload = WORKLOADS[name];
    if (workload === undefined) {
      const known = Object.keys(WORKLOADS).join(', ');
      throw new Error(`Cannot measure "${name}": no such workload, there are ${known}`);
    }
    const sizes = options.sizes?.split(',').map(Number) ?? workload.sizes;
    for (const size of sizes) await run(arena, workload, size);
  }
} finally {
  await arena.close();
}
process.exit(0);
