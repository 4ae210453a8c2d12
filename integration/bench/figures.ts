import { cpus, loadavg, release } from 'node:os';

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

/** A table in Markdown; the first row names the columns. */
export function markdownTable(rows: readonly Readonly<Record<string, string | number>>[]): string {
  const names = Object.keys(rows[0] ?? {});
  const lines = [
    names,
    names.map(() => '---'),
    ...rows.map((row) => names.map((name) => row[name])),
  ];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** When and where something was measured: figures of a busy machine say less. */
export function circumstances(): string {
  const [cpu] = cpus();
  const load = loadavg()
    .map((value) => value.toFixed(1))
    .join(', ');
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  return `${date} UTC, ${cpus().length} × ${cpu?.model ?? 'unknown'}, Linux ${release()}, Node ${process.version}, load ${load}`;
}
