/** The value that `percent` of the numbers do not exceed (nearest rank). NaN for none. */
export function percentile(numbers: readonly number[], percent: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

export type Figure = { readonly what: string; readonly p50: number; readonly p95: number };

export function formatTable(title: string, figures: readonly Figure[]): string {
  const width = Math.max(title.length, ...figures.map(({ what }) => what.length));
  const line = (what: string, p50: string, p95: string): string =>
    `${what.padEnd(width)}  ${p50.padStart(7)}  ${p95.padStart(7)}`;
  return [
    line(title, 'p50', 'p95'),
    ...figures.map(({ what, p50, p95 }) => line(what, p50.toFixed(1), p95.toFixed(1))),
  ].join('\n');
}
