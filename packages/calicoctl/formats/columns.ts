// Columns as Go's text/tabwriter lays them out for calicoctl: minimum width 5, padding 3, spaces.

const MINIMUM_WIDTH = 5;
const PADDING = 3;

/** Every cell is padded, the last one too; an empty line ends the table. */
export function formatColumns(rows: readonly (readonly string[])[]): string {
  const widths = widthsOf(rows);
  return [...rows.map((row) => lineOf(row, widths)), '', ''].join('\n');
}

/** Characters, not UTF-16 units. */
export function textWidth(text: string): number {
  return Array.from(text).length;
}

/** Columns without what pads the ends of lines. */
export function formatTidyColumns(rows: readonly (readonly string[])[]): string {
  return new TidyColumns().format(rows);
}

/** The same for rows that come in pieces: the first piece says how wide columns are. */
export class TidyColumns {
  #widths: readonly number[] | undefined;

  format(rows: readonly (readonly string[])[]): string {
    this.#widths ??= widthsOf(rows);
    const widths = this.#widths;
    return rows.map((row) => `${lineOf(row, widths).trimEnd()}\n`).join('');
  }
}

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? MINIMUM_WIDTH, textWidth(cell) + PADDING);
    }
  }
  return widths;
}

/** A cell that is too wide for its column moves what follows it. */
function lineOf(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, index) => {
      const spaces = Math.max(PADDING, (widths[index] ?? 0) - textWidth(cell));
      return cell + ' '.repeat(spaces);
    })
    .join('');
}
