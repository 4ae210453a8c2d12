import { NAMED, restOf } from '../core/kernel/shortened.ts';

/** What is wrong at a time: each problem that is named, and what is said of those of a kind that are not. */
export class Problems {
  readonly #named = new Set<string>();
  /** By the sentence on the others, without their number, which changes all the time: those that are named. */
  readonly #shortened = new Map<string, ReadonlySet<string>>();
  /** The whole sentences. */
  readonly #rests = new Map<string, string>();

  /** @param messages one sentence each; those of shortened() in one piece */
  constructor(messages: readonly string[]) {
    for (const [index, message] of messages.entries()) {
      const rest = restOf(message);
      if (rest === undefined) {
        this.#named.add(message);
        continue;
      }
      this.#shortened.set(rest, new Set(messages.slice(Math.max(0, index - NAMED), index)));
      this.#rests.set(rest, message);
    }
  }

  newSince(before: Problems): readonly string[] {
    const rests = this.#rests.entries().filter(([rest]) => !before.#rests.has(rest));
    return [...few([...this.#named.difference(before.#named)]), ...rests.map(([, text]) => text)];
  }

  /** Without those that may be among the ones that are not named. */
  overSince(before: Problems): readonly string[] {
    const gone = before.#named.difference(this.#named).values();
    const rests = before.#rests.entries().filter(([rest]) => !this.#rests.has(rest));
    return [
      ...few(gone.filter((problem) => !this.#mayHide(problem, before)).toArray()),
      ...rests.map(([, text]) => text),
    ];
  }

  #mayHide(problem: string, before: Problems): boolean {
    // Of a kind that was not shortened before, nobody knows which ones it were.
    return this.#shortened.keys().some((rest) => before.#shortened.get(rest)?.has(problem) ?? true);
  }
}

/** Those that are named, and how many are not. */
export function few(problems: readonly string[]): readonly string[] {
  if (problems.length <= NAMED) return problems;
  return [...problems.slice(0, NAMED), `and ${problems.length - NAMED} more`];
}
