// Everything that can be judged without a cluster: format, lint, types, contracts, floors, unit tests.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exec, ROOT } from '../lab/mod.ts';
import { checkLayers } from './layers.ts';

export type Count = {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Stages that failed and passed when they were run again. */
  readonly unstable: readonly string[];
};
export type Outcome = Omit<Count, 'unstable'> & {
  readonly output: string;
  /** The runtime itself ended before it had counted. */
  readonly isCrash?: boolean;
};
export type Stage = {
  readonly name: string;
  readonly run: () => Promise<Outcome>;
  /** It depends on daemons, a kernel and the load of the machine, so a failure may be one of theirs. */
  readonly isRepeatable?: boolean;
};

export const NOTHING: Count = { passed: 0, failed: 0, skipped: 0, unstable: [] };
/** More files than these do not fail by chance. */
const REPETITIONS = 3;

/** Nothing takes that long, unless it hangs; the virtual machine alone needs ten minutes on a busy host. */
const HALF_AN_HOUR = 1_800_000;

const PATIENTLY = ['nice', '-n', '5'];

export const STAGES: readonly Stage[] = [
  { name: 'format (biome)', run: () => tool(['biome', 'check', '.']) },
  { name: 'lint (oxlint)', run: () => tool(['oxlint']) },
  { name: 'types (tsc)', run: () => tool(['tsc', '-p', 'tsconfig.json']) },
  { name: 'contracts (buf lint)', run: () => tool(['buf', 'lint']) },
  { name: 'generated code is up to date', run: generatedIsCurrent },
  { name: 'floors', run: floorsHold },
  { name: 'unit tests on Node', run: unitTestsOnNode },
  { name: 'unit tests on Deno', run: unitTestsOnDeno },
];

/**
 * Runs stages one after the other, a line each; what failed is printed in full. A few repeatable ones that
 * failed, and those whose runtime crashed, are run once more: whoever reads the log sees both runs, and the name in the summary.
 */
export async function runStages(stages: readonly Stage[]): Promise<Count> {
  let total = NOTHING;
  let repetitions = 0;
  for (const stage of stages) {
    const outcome = await runStage(stage.name, stage);
    const mayRepeat = stage.isRepeatable || outcome.isCrash;
    if (outcome.failed === 0 || !mayRepeat || repetitions === REPETITIONS) {
      total = add(total, { ...outcome, unstable: [] });
      continue;
    }
    repetitions += 1;
    const again = await runStage(`${stage.name}, once more`, stage);
    total = add(total, { ...again, unstable: again.failed === 0 ? [stage.name] : [] });
  }
  return total;
}

/** Runs several rows of stages side by side. */
export async function runRows(rows: readonly (readonly Stage[])[]): Promise<Count> {
  return (await Promise.all(rows.map(runStages))).reduce(add, NOTHING);
}

async function runStage(name: string, { run }: Stage): Promise<Outcome> {
  const started = performance.now();
  const outcome = await Promise.try(run).catch(broken);
  report(name, outcome, performance.now() - started);
  return outcome;
}

/** A stage that throws has failed; the others, and what they have started, come to their end. */
function broken(cause: unknown): Outcome {
  const output = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  return { passed: 0, failed: 1, skipped: 0, output };
}

export function add(a: Count, b: Count): Count {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    unstable: [...a.unstable, ...b.unstable],
  };
}

export function summary({ passed, failed, skipped }: Omit<Count, 'unstable'>): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** What is wrong in spite of a good count, a line each. */
export function complaints({ unstable }: Count): string[] {
  return unstable.map((name) => `unstable, a defect to mend: ${name} failed, then passed`);
}

function report(name: string, outcome: Outcome, elapsedMs: number): void {
  const mark = outcome.failed === 0 ? '✓' : '✗';
  console.log(`${mark} ${name}: ${summary(outcome)} (${(elapsedMs / 1000).toFixed(1)} s)`);
  if (outcome.failed > 0) console.log(outcome.output);
  else for (const reason of skipReasons(outcome.output)) console.log(`  skipped: ${reason}`);
}

async function tool(command: readonly string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await exec(command, { cwd: ROOT, timeoutMs: HALF_AN_HOUR });
  return {
    passed: code === 0 ? 1 : 0,
    failed: code === 0 ? 0 : 1,
    skipped: 0,
    output: stdout + stderr,
  };
}

async function generatedIsCurrent(): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'calico-gen-'));
  try {
    const generated = await tool(['buf', 'generate', '--output', directory]);
    if (generated.failed > 0) return generated;
    const outcome = await tool([
      'diff',
      '-r',
      join(directory, 'packages/proto/gen'),
      'packages/proto/gen',
    ]);
    return {
      ...outcome,
      output: `${outcome.output}Run "pnpm gen" and commit packages/proto/gen.\n`,
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function floorsHold(): Promise<Outcome> {
  const violations = checkLayers(ROOT);
  return {
    passed: violations.length === 0 ? 1 : 0,
    failed: violations.length,
    skipped: 0,
    output: violations.join('\n'),
  };
}

async function unitTestsOnNode(): Promise<Outcome> {
  return runNodeTests([
    'packages/**/*_test.ts',
    'services/**/*_test.ts',
    'integration/ok/*_test.ts',
    'integration/deploy/*_test.ts',
    'integration/bench/**/*_test.ts',
  ]);
}

/**
 * Runs test files with node's runner and reads the counts from its closing lines.
 *
 * @param isPatient leaves the processors to whatever else wants them
 */
export async function runNodeTests(
  patterns: readonly string[],
  isPatient = false,
): Promise<Outcome> {
  const { code, stdout, stderr } = await exec(
    [...(isPatient ? PATIENTLY : []), 'node', '--test', '--test-reporter=spec', ...patterns],
    { cwd: ROOT, timeoutMs: HALF_AN_HOUR },
  );
  const count = (word: string): number =>
    Number(new RegExp(`^ℹ ${word} (\\d+)$`, 'm').exec(stdout)?.[1] ?? 0);
  const failed = count('fail') + count('cancelled');
  // A run that died, or that found no test, has failed whatever it counted.
  const uncounted = (code !== 0 && failed === 0) || count('tests') === 0 ? 1 : 0;
  return {
    passed: count('pass'),
    failed: failed + uncounted,
    skipped: count('skipped') + count('todo'),
    output: stdout + stderr,
  };
}

async function unitTestsOnDeno(): Promise<Outcome> {
  const { code, stdout, stderr } = await exec(
    ['deno', 'test', '-A', '--no-check', '--quiet', 'packages', 'services'],
    {
      cwd: ROOT,
      timeoutMs: HALF_AN_HOUR,
      env: { ...(process.env as Record<string, string>), NO_COLOR: '1' },
    },
  );
  const closing = /(?:ok|FAILED) \| (\d+) passed.*?\| (\d+) failed(?: \| (\d+) ignored)?/.exec(
    stdout,
  );
  const failed = Number(closing?.[2] ?? 0);
  const uncounted = closing === null || (code !== 0 && failed === 0) ? 1 : 0;
  return {
    passed: Number(closing?.[1] ?? 0),
    failed: failed + uncounted,
    skipped: Number(closing?.[3] ?? 0),
    output: stdout + stderr,
    isCrash: closing === null,
  };
}

function skipReasons(output: string): string[] {
  return [...output.matchAll(/^\s*﹣ (.+?) \([\d.]+ms\) # (.*)$/gm)].map(
    ([, name, reason]) => `${name}: ${reason}`,
  );
}
