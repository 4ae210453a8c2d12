const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
};

/** Go's duration text, as in "1m30s". @throws RangeError for anything else, and for negative ones */
export function parseDurationSeconds(text: string): number {
  if (text === '0') return 0;
  if (!/^(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) {
    throw new RangeError(`Cannot parse duration "${text}": expected a text such as "90s"`);
  }
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)(ns|us|µs|ms|s|m|h)/g)) {
    sum += Number(amount) * (UNITS[unit ?? 's'] ?? 0);
  }
  return sum;
}
