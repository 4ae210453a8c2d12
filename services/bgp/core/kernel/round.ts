// Asks the kernel about many things, a few per turn of the event loop: a question is a system call, which
// takes 15 to 30 microseconds.

/** How many questions fit into a small part of a turn. */
export const QUESTIONS = 64;

export class Round<T> {
  readonly #list: () => readonly T[];
  #left: readonly T[] = [];
  #next = 0;
  #isAgain = false;

  /** @param list what there is to ask about, when a round begins */
  constructor(list: () => readonly T[]) {
    this.#list = list;
  }

  get isOpen(): boolean {
    return this.#next < this.#left.length;
  }

  /** From now on other answers are possible. A round that always began anew might never end. */
  begin(): void {
    if (this.isOpen) this.#isAgain = true;
    else this.#open();
  }

  /** Asks about the next few. Whether the round has ended with them; another one may be open then. */
  goOn(ask: (each: T) => void): boolean {
    if (!this.isOpen) return false;
    const part = this.#left.slice(this.#next, this.#next + QUESTIONS);
    this.#next += part.length;
    for (const each of part) ask(each);
    if (this.isOpen) return false;
    this.#left = [];
    this.#next = 0;
    if (this.#isAgain) this.#open();
    return true;
  }

  #open(): void {
    this.#isAgain = false;
    this.#left = this.#list();
    this.#next = 0;
  }
}
