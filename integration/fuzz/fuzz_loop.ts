// Runs inputs through the targets, in blocks that can be run again alone.
import { Random } from './mutator.ts';
import type { Target } from './targets.ts';

/** Inputs that share a generator: a failure is found again by its block's number. */
export const BLOCK = 1_000;

export type Tally = { inputs: number; accepted: number };

export type Fault = {
  readonly target: string;
  readonly block: number;
  readonly hex: string;
  readonly message: string;
};

/** Runs one block. What is wrong is added to `faults`. */
export function runBlock(
  targets: readonly Target[],
  seed: number,
  block: number,
  inputs: number,
  tallies: Map<string, Tally>,
  faults: Fault[],
): void {
  const random = new Random(seed * 1_000_003 + block);
  const wheel = targets.flatMap((target) => Array.from({ length: target.share }, () => target));
  for (let left = inputs; left > 0; left--) {
    const target = random.pick(wheel);
    const bytes = target.make(random);
    let tally = tallies.get(target.name);
    if (tally === undefined) {
      tally = { inputs: 0, accepted: 0 };
      tallies.set(target.name, tally);
    }
    tally.inputs += 1;
    try {
      if (target.check(bytes, random)) tally.accepted += 1;
    } catch (cause) {
      const message = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
      const hex = Buffer.from(bytes).toString('hex');
      faults.push({ target: target.name, block, hex, message });
    }
  }
}
