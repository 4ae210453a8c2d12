// How the walk-through is shown: titles, commands with what they print, checks.
const tty = process.stdout.isTTY;
const paint = (code: string, text: string): string => (tty ? `\x1b[${code}m${text}\x1b[0m` : text);

export class Screen {
  #passed = 0;
  readonly #failures: string[] = [];

  title(text: string): void {
    console.log(`\n${paint('1', `━━ ${text}`)}`);
  }

  note(text: string): void {
    console.log(paint('2', `· ${text}`));
  }

  /** A command as a person would type it, and its output. */
  command(where: string, command: string, output: string): void {
    console.log(`${paint('36', `${where} $`)} ${command}`);
    const text = output.trimEnd();
    if (text !== '') console.log(text);
  }

  /** States what must be true; a walk-through in which something is not true ends with exit code 1. */
  check(claim: string, holds: boolean, detail = ''): void {
    if (holds) {
      this.#passed++;
      console.log(`${paint('32', '✓')} ${claim}`);
    } else {
      this.#failures.push(claim);
      console.log(`${paint('31', '✗')} ${claim}${detail === '' ? '' : `\n${detail}`}`);
    }
  }

  get failures(): readonly string[] {
    return this.#failures;
  }

  close(seconds: number): void {
    const count = this.#failures.length;
    const verdict =
      count === 0
        ? paint('32', 'all true')
        : paint('31', `${count} not true: ${this.#failures.join('; ')}`);
    console.log(`\n${this.#passed + count} checks, ${verdict} (${seconds.toFixed(0)} s)`);
  }
}
