// Waiting for the api, and repeating what lost a race.
import type { Clock } from '@calico/clock';
import { RpcError } from '@calico/rpc';
import type { Logger } from '@calico/telemetry';

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5_000;
const PROGRESS_MS = 10_000;
const RACES = 10;

export type Patience = {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** 0 to 1, for the delays. */
  readonly jitter: () => number;
};

/** Repeats `call` while the api is away, and says so in the log: at once, then every 10 s. */
export async function untilReachable<T>(
  what: string,
  call: () => Promise<T>,
  { clock, logger, signal, jitter }: Patience,
): Promise<T> {
  const started = clock.monotonic();
  let told: number | undefined;
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
    try {
      const answer = await call();
      if (told !== undefined) logger.info('the api answers', { what });
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (!isAway(error)) throw error;
      const now = clock.monotonic();
      if (told === undefined || now - told >= PROGRESS_MS) {
        told = now;
        const waitedSeconds = Math.round((now - started) / 1000);
        logger.warn('waiting for the api', { what, waitedSeconds, reason: error.message });
      }
    }
    await clock.sleep(delayMs * (0.5 + jitter() / 2), signal);
  }
}

/** Repeats a read-change-write that somebody else's write came between. */
export async function untilWritten(write: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await write();
      return;
    } catch (error) {
      if (attempt === RACES || !lostRace(error)) throw error;
    }
  }
}

export function hasRpcCode(error: unknown, ...codes: readonly string[]): error is RpcError {
  return error instanceof RpcError && codes.includes(error.code);
}

function isAway(error: unknown): error is RpcError {
  return hasRpcCode(error, 'UNAVAILABLE', 'DEADLINE_EXCEEDED');
}

function lostRace(error: unknown): boolean {
  return hasRpcCode(error, 'ABORTED', 'ALREADY_EXISTS', 'NOT_FOUND');
}
