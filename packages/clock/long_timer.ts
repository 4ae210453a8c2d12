import type { CancelTimer } from './clock.ts';

/** The longest delay that the runtimes have timers for (24.8 days); a longer one is over at once for them. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Calls `callback` once after `delayMs`, however long that is; never, if it is infinite.
 * @param longestMs of one timer of the runtime
 */
export function setLongTimer(
  delayMs: number,
  callback: () => void,
  longestMs = LONGEST_MS,
): CancelTimer {
  let left = delayMs;
  const arm = (): NodeJS.Timeout => {
    const waitMs = Math.min(left, longestMs);
    left -= waitMs;
    return setTimeout(left > 0 ? next : callback, waitMs);
  };
  const next = (): void => {
    timer = arm();
  };
  let timer = arm();
  return () => clearTimeout(timer);
}
