// The fuzzer's thread: who watches it from outside notices when it hangs.
import { parentPort, workerData } from 'node:worker_threads';
import { BLOCK, type Fault, runBlock, type Tally } from './fuzz_loop.ts';
import { TARGETS } from './targets.ts';

export type Task = { readonly inputs: number; readonly seed: number; readonly firstBlock: number };

/** What the thread says after each block. */
export type Progress = {
  readonly inputs: number;
  readonly heapBytes: number;
  readonly faults: readonly Fault[];
  readonly tallies: ReadonlyMap<string, Tally>;
};

/** More than these say nothing new. */
const MOST_FAULTS = 20;

// Refusals are errors by the million: their stacks would be most of the work.
Error.stackTraceLimit = 0;

const { inputs, seed, firstBlock } = workerData as Task;
const tallies = new Map<string, Tally>();
const faults: Fault[] = [];
for (let done = 0, block = firstBlock; done < inputs && faults.length < MOST_FAULTS; block++) {
  const size = Math.min(BLOCK, inputs - done);
  runBlock(TARGETS, seed, block, size, tallies, faults);
  done += size;
  const { heapUsed: heapBytes } = process.memoryUsage();
  const progress: Progress = { inputs: done, heapBytes, faults, tallies };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(progress);
}
