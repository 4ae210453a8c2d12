/** Which daemon can do what with ours, as a Markdown table. */
export class Matrix {
  readonly #cells = new Map<string, Map<string, string>>();

  set(row: string, column: string, cell: string): void {
    const cells = this.#cells.get(column) ?? new Map<string, string>();
    this.#cells.set(column, cells);
    cells.set(row, cell);
  }

  /** Features downwards, daemons across. */
  text(): string {
    const daemons = [...new Set([...this.#cells.values()].flatMap((cells) => [...cells.keys()]))];
    const lines = [...this.#cells].map(([feature, cells]) =>
      [feature, ...daemons.map((daemon) => cells.get(daemon) ?? '')].join(' | '),
    );
    const header = ['', ...daemons].join(' | ');
    return ['', header, ['', ...daemons].map(() => '---').join(' | '), ...lines]
      .map((line) => (line === '' ? '' : `| ${line} |`))
      .join('\n');
  }
}
