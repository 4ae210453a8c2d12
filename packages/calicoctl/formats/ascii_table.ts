// Tables with a frame of + - |, headings centred and in capitals, numbers to the right.
import { textWidth } from './columns.ts';

/** Lines of the table with a line end each. */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const titles = headings.map((heading) => heading.toUpperCase());
  const widths = titles.map((title, index) =>
    Math.max(...[title, ...rows.map((row) => row[index] ?? '')].map(textWidth)),
  );
  const border = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const line = (cells: readonly string[], align: (cell: string, width: number) => string) =>
    `|${widths.map((width, index) => ` ${align(cells[index] ?? '', width)} `).join('|')}|`;
  const body = rows.map((row) => line(row, aligned));
  return [
    border,
    line(titles, centred),
    border,
    ...body,
    ...(body.length > 0 ? [border] : []),
    '',
  ].join('\n');
}

const NUMBER = /^-?[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?$/;

function aligned(cell: string, width: number): string {
  const gap = ' '.repeat(width - textWidth(cell));
  return NUMBER.test(cell) ? gap + cell : cell + gap;
}

function centred(cell: string, width: number): string {
  const gap = width - textWidth(cell);
  const left = Math.floor(gap / 2);
  return ' '.repeat(left) + cell + ' '.repeat(gap - left);
}
