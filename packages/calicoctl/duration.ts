import { CommandError } from './command_error.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Of more than 24 days the timers of JavaScript make a millisecond. */
const LONGEST_MS = 86_400_000;

/**
 * Milliseconds of "500ms", "30s", "2m", "1h" or of a plain number of seconds, of at most "24h".
 * @throws CommandError
 */
export function parseDuration(text: string): number {
  const [, number, unit = 's'] = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  if (number === undefined) {
    throw new CommandError(`Cannot wait for "${text}": expected a duration, for example "30s"`);
  }
  const milliseconds = Number(number) * (UNITS[unit] ?? 0);
  if (milliseconds <= LONGEST_MS) return milliseconds;
  throw new CommandError(`Cannot wait for "${text}": expected at most "24h"`);
}

/** "84 ms", "30 s" */
export function formatDuration(milliseconds: number): string {
  return milliseconds < 10_000
    ? `${Math.round(milliseconds)} ms`
    : `${Math.round(milliseconds / 1000)} s`;
}
