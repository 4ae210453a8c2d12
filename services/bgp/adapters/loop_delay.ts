// How late the event loop is: keepalives and answers wait for it.
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
const NANOSECONDS_PER_MS = 1e6;

/** Answers the longest delay in milliseconds since it was asked last; always 0 where it is not measured. */
export function watchLoopDelay(): () => number {
  try {
    const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    histogram.enable();
    return () => {
      const longest = histogram.max / NANOSECONDS_PER_MS;
      histogram.reset();
      return Math.max(0, longest - RESOLUTION_MS);
    };
  } catch {
    // Deno does not measure it.
    return () => 0;
  }
}
