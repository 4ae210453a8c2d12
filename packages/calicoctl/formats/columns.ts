// Columns as Go's text/tabwriter lays them out for calicoctl: minimum width 5, padding 3, spaces.

const MINIMUM_WIDTH = 5;
const PADDING = 3;

/** Every cell is padded, the last one too; an empty line ends the table. */
export function formatColumns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? MINIMUM_WIDTH, textWidth(cell) + PADDING);
    }
  }
  const lines = rows.map((row) =>
    row.map((cell, index) => cell + ' '.repeat((widths[index] ?? 0) - textWidth(cell))).join(''),
  );
  return [...lines, '', ''].join('\n');
}

/** Characters, not UTF-16 units. */
export function textWidth(text: string): number {
  return Array.from(text).length;
}

/** Columns without what pads the ends of lines. */
export function formatTidyColumns(rows: readonly (readonly string[])[]): string {
  return formatColumns(rows)
    .trimEnd()
    .split('\n')
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}
