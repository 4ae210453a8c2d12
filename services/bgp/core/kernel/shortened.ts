/** Problems of a kind that are named one by one; nobody reads more, and peers can cause any number of them. */
export const NAMED = 20;

const REST = /^\d+ (more .*)$/su;

/** The first of them, and one sentence for all others. @param rest what is said of these, after "7 more " */
export function shortened(
  problems: Iterable<string>,
  count: number,
  rest: string,
): readonly string[] {
  const named = Iterator.from(problems).take(NAMED).toArray();
  return count > named.length ? [...named, `${count - named.length} more ${rest}`] : named;
}

/** What shortened() says of others, but for their number; undefined for a problem that is named. */
export function restOf(problem: string): string | undefined {
  return REST.exec(problem)?.[1];
}
