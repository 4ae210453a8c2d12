// Fuzzes the codecs of BGP, BMP, MRT and BFD with damaged messages.
//   node integration/fuzz/bgp.ts --inputs 10000000 --seed 1
//   deno run -A integration/fuzz/bgp.ts --inputs 300000 --seed 1
// Prints how many of each kind were accepted, the rate, faults, the longest block of 1,000 inputs and how
// the heap grew; ends with code 1 when anything is wrong. A fault's block runs alone with --block.
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { Progress, Task } from './bgp_worker.ts';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '300000' },
    seed: { type: 'string', default: '1' },
    block: { type: 'string', default: '0' },
  },
});

const HANG_MS = 120_000;
const GROWTH_LIMIT_BYTES = 24 * 2 ** 20;

const task: Task = {
  inputs: number('inputs', values.inputs, 1),
  seed: number('seed', values.seed, 0),
  firstBlock: number('block', values.block, 0),
};
const started = performance.now();
const worker = new Worker(new URL('bgp_worker.ts', import.meta.url), { workerData: task });
const heaps: number[] = [];
let last: Progress | undefined;
let lastAt = started;
let longestMs = 0;
const ending = await new Promise<string>((resolve) => {
  const watch = setInterval(() => {
    if (performance.now() - lastAt > HANG_MS) finish(`a block takes more than ${HANG_MS} ms`);
  }, 1_000);
  const finish = (problem: string): void => {
    clearInterval(watch);
    resolve(problem);
  };
  worker.on('message', (progress: Progress) => {
    const now = performance.now();
    // The first one also loads the code.
    if (last !== undefined) longestMs = Math.max(longestMs, now - lastAt);
    [last, lastAt] = [progress, now];
    heaps.push(progress.heapBytes);
    if (progress.inputs === task.inputs) finish('');
    else if (progress.faults.length >= 20) finish('too many faults');
  });
  worker.on('error', (cause: unknown) => finish(`the thread ended: ${String(cause)}`));
});
await worker.terminate();
report(ending);

function report(problem: string): void {
  const seconds = (performance.now() - started) / 1000;
  const { inputs = 0, faults = [], tallies = new Map() } = last ?? {};
  for (const [name, { inputs: made, accepted }] of tallies) {
    console.log(`${name.padEnd(12)} ${made} inputs, ${percent(accepted, made)} accepted`);
  }
  const growth = grown(heaps);
  console.log(
    `${inputs} inputs with seed ${task.seed} in ${seconds.toFixed(1)} s ` +
      `(${Math.round(inputs / seconds)} per second), ${faults.length} faults; longest block ` +
      `${longestMs.toFixed(0)} ms; heap grew by ${(growth / 2 ** 20).toFixed(1)} MiB`,
  );
  for (const { target, block, hex, message } of faults) {
    console.log(`fault in ${target}, block ${block}: ${message}\n  ${hex}`);
  }
  if (problem !== '') console.log(`stopped: ${problem} (after ${inputs} inputs)`);
  const isGrown = growth > GROWTH_LIMIT_BYTES;
  process.exitCode = problem === '' && faults.length === 0 && !isGrown ? 0 : 1;
}

/** What stays after collections, at the end and after the first fifth: the lowest heap of each. */
function grown(samples: readonly number[]): number {
  const fifth = Math.floor(samples.length / 5);
  if (fifth === 0) return 0;
  return Math.min(...samples.slice(-fifth)) - Math.min(...samples.slice(fifth, 2 * fifth));
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(0)} %`;
}

function number(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw new RangeError(`Cannot fuzz: --${name} is "${text}", expected an integer from ${least}`);
  }
  return value;
}
