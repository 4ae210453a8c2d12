// How fast the speaker is, beside BIRD 2, FRR and GoBGP in the same run: in turns, medians.
import { circumstances } from '../figures.ts';
import { Arena } from './arena.ts';
import { parseArguments, type Request, UsageError } from './arguments.ts';
import { contestants } from './contestants.ts';
import { HELP } from './help.ts';
import { summaryOf } from './summary.ts';
import { detailsOf, type Result } from './table.ts';
import { Turns } from './turns.ts';

/** Whether everybody could be measured, or was given up for its limit. */
async function compare(arena: Arena, request: Request): Promise<boolean> {
  const all = contestants(request.profile);
  const results: Result[] = [];
  console.log(circumstances());
  for (const { workload, sizes } of request.workloads) {
    const turns = new Turns(request);
    for (const size of sizes) {
      const plan = workload.plan(size);
      const names = request.contestants.filter((name) => all[name].takesPart(plan));
      const outcomes = await turns.run(names, size, (name, limit) =>
        all[name].measure(arena, plan, AbortSignal.timeout(limit * 1_000)),
      );
      const titled = Array.from(outcomes, ([name, outcome]) => [all[name].title, outcome] as const);
      results.push({ workload, size, outcomes: new Map(titled) });
      console.log(`\n${detailsOf(results.at(-1) as Result)}`);
    }
  }
  const hasFailed = results.some(({ outcomes }) =>
    outcomes.values().some(({ kind }) => kind === 'failed'),
  );
  if (results.length < 2) return !hasFailed;
  const daemons = request.contestants.map((name) => all[name]).filter(({ isDaemon }) => isDaemon);
  console.log(
    `\n${summaryOf(
      results,
      daemons.map(({ title }) => title),
    )}`,
  );
  return !hasFailed;
}

async function run(request: Request): Promise<boolean> {
  const arena = new Arena();
  const stop = (): void => void arena.close().then(() => process.exit(1));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const start = performance.now();
  try {
    await arena.open();
    return await compare(arena, request);
  } finally {
    await arena.close();
    console.log(`\nTook ${((performance.now() - start) / 60_000).toFixed(1)} minutes`);
  }
}

try {
  const request = parseArguments(process.argv.slice(2));
  if (request === 'help') console.log(HELP);
  process.exit(request === 'help' || (await run(request)) ? 0 : 1);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\nSee --help`);
  process.exit(2);
}
