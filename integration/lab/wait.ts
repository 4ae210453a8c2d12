import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks `condition` every 50 ms until it is true. After `timeoutMs`, or as soon as `hopeless` says so,
 * throws an Error with the text of `describe`.
 */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  describe: () => string,
  hopeless: () => boolean = () => false,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end || hopeless()) throw new Error(describe());
    await sleep(50);
  }
}
