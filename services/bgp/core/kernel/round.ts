// Asks the kernel about many things, a few per turn of the event loop: a question is a system call, which
// takes 5 to 30 microseconds.

/** How many questions fit into a small part of a turn. */
export const QUESTIONS = 64;

export class Round<T> {
  readonly #list: () => Iterable<T>;
  #left: Iterator<T> = [].values();
  #next: IteratorResult<T> = this.#left.next();
  #isAgain = false;

  /** @param list what there is to ask about; called when a round begins, and gone through as it goes on */
  constructor(list: () => Iterable<T>) {
    this.#list = list;
  }

  get isOpen(): boolean {
    return this.#next.done !== true;
  }

  /** From now on other answers are possible. A round that always began anew might never end. */
  begin(): void {
    if (this.isOpen) this.#isAgain = true;
    else this.#open();
  }

  /** Asks about the next few. Whether the round has ended with them; another one may be open then. */
  goOn(ask: (each: T) => void): boolean {
    if (!this.isOpen) return false;
    for (let left = QUESTIONS; left > 0 && this.#next.done !== true; left--) {
      const { value } = this.#next;
      this.#next = this.#left.next();
      ask(value);
    }
    if (this.isOpen) return false;
    if (this.#isAgain) this.#open();
    return true;
  }

  #open(): void {
    this.#isAgain = false;
    this.#left = this.#list()[Symbol.iterator]();
    this.#next = this.#left.next();
  }
}
