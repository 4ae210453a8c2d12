import { setTimeout as sleep } from 'node:timers/promises';

/**
 * How many times slower than a usual machine this one may be: every limit of the lab and of what it
 * runs is multiplied by it. From CALICO_LAB_PATIENCE, at least 1.
 */
export const PATIENCE = Math.max(1, Number(process.env['CALICO_LAB_PATIENCE']) || 1);

/** A limit of the lab in milliseconds, as this machine needs it. */
export function patient(timeoutMs: number): number {
  return timeoutMs * PATIENCE;
}

/** Flags of `calicoctl apply` that wait for the nodes. */
export const WAIT_FLAGS = ['--wait', '--timeout', `${patient(120)}s`] as const;

/** Test machines are shared, a machine with much else to do is not wrong: limits end what hangs. */
const LEEWAY = 4;

/**
 * Asks `condition` every 50 ms until it is true. After `timeoutMs`, of a machine with nothing else to
 * do, times the leeway and the lab's patience, or as soon as `hopeless` says so, throws an Error with the text of `describe`.
 */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  describe: () => string,
  hopeless: () => boolean = () => false,
): Promise<void> {
  const end = performance.now() + patient(timeoutMs * LEEWAY);
  while (!(await condition())) {
    if (performance.now() > end || hopeless()) throw new Error(describe());
    await sleep(patient(50));
  }
}
