/** Problems of a kind that are named one by one; nobody reads more, and peers can cause any number of them. */
export const NAMED = 20;

/** The first of them, and what is said of the others. @param rest told how many these are */
export function shortened(
  problems: Iterable<string>,
  count: number,
  rest: (more: number) => string,
): readonly string[] {
  const named = Iterator.from(problems).take(NAMED).toArray();
  return count > named.length ? [...named, rest(count - named.length)] : named;
}
