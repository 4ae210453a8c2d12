/** Why routes are kept out, as numbers: a few texts for many routes. None is forgotten, so no peer may choose any. */
export class ReasonTable {
  readonly #texts: string[] = [];
  readonly #numbers = new Map<string, number>();

  intern(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#texts.push(text) - 1;
      this.#numbers.set(text, number);
    }
    return number;
  }

  textOf(number: number): string {
    return this.#texts[number] ?? '';
  }
}
