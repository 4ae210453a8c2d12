/** Which daemon can do what with ours, as a Markdown table: features downwards, daemons across. */
export class Matrix {
  readonly #daemons: readonly string[];
  readonly #rows: ReadonlyMap<string, Map<string, string>>;

  constructor(features: readonly string[], daemons: readonly string[]) {
    this.#daemons = daemons;
    this.#rows = new Map(features.map((feature) => [feature, new Map()]));
  }

  set(daemon: string, feature: string, cell: string): void {
    this.#rows.get(feature)?.set(daemon, cell);
  }

  text(): string {
    const rows = [...this.#rows].map(([feature, cells]) => [
      feature,
      ...this.#daemons.map((daemon) => cells.get(daemon) ?? 'not tried'),
    ]);
    const head = [['', ...this.#daemons], ['', ...this.#daemons].map(() => '---')];
    return `\n${[...head, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')}`;
  }
}
