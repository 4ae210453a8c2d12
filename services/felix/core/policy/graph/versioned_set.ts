// A set as a value, as VersionedMap is a map: the newest version holds the members, an older one how it differs from the
// next. A list of a hundred thousand resources changes at the price of what changes, and versions tell how one came
// from the other.
import type { ListChanges } from './list_changes.ts';

/** A member that came (`before` undefined), went (`after` undefined) or was replaced. */
export type Replacement<T> = { readonly before: T | undefined; readonly after: T | undefined };

const NOTHING = { removed: [], added: [] } as const;

type Past<T> = { readonly changes: ListChanges<T>; readonly next: VersionedSet<T> };

export class VersionedSet<T> {
  #members: Set<T> | undefined;
  #past: Past<T> | undefined;
  #items: readonly T[] | undefined;

  constructor(members: Iterable<T> = []) {
    this.#members = new Set(members);
  }

  /** All members, in no particular order; put together when asked for the first time. */
  get items(): readonly T[] {
    this.#items ??= [...this.#own()];
    return this.#items;
  }

  /** The set after these replacements, in their order; of a member that is not there only what takes its place counts. */
  after(replacements: Iterable<Replacement<T>>): VersionedSet<T> {
    const members = this.#own();
    const changes = netChanges(replacements, (member) => members.has(member));
    if (changes.removed.length + changes.added.length === 0) return this;
    for (const member of changes.removed) members.delete(member);
    for (const member of changes.added) members.add(member);
    const next = new VersionedSet<T>();
    next.#members = members;
    this.#members = undefined;
    this.#past = { changes, next };
    return next;
  }

  /** How `later` differs from this; undefined when it does not come from this. */
  changesUntil(later: VersionedSet<T>): ListChanges<T> | undefined {
    if (later === this) return NOTHING;
    const steps: Replacement<T>[] = [];
    for (let past = this.#past; past !== undefined; past = past.next.#past) {
      steps.push(...asReplacements(past.changes));
      if (past.next === later) return netChanges(steps, () => true);
    }
    return undefined;
  }

  /** Makes this version a set of its own. */
  #own(): Set<T> {
    if (this.#members !== undefined) return this.#members;
    const steps: ListChanges<T>[] = [];
    let newest: Set<T> | undefined;
    for (let past = this.#past; past !== undefined; past = past.next.#past) {
      steps.push(past.changes);
      newest = past.next.#members;
    }
    const members = new Set(newest);
    for (const { removed, added } of steps.toReversed()) {
      for (const member of added) members.delete(member);
      for (const member of removed) members.add(member);
    }
    this.#members = members;
    this.#past = undefined;
    return members;
  }
}

function netChanges<T>(
  replacements: Iterable<Replacement<T>>,
  isMember: (member: T) => boolean,
): ListChanges<T> {
  const [removed, added] = [new Set<T>(), new Set<T>()];
  for (const { before, after } of replacements) {
    if (before !== undefined && !added.delete(before) && isMember(before)) removed.add(before);
    if (after !== undefined && !removed.delete(after)) added.add(after);
  }
  return { removed: [...removed], added: [...added] };
}

export function asReplacements<T>({ removed, added }: ListChanges<T>): Replacement<T>[] {
  return [
    ...removed.map((before) => ({ before, after: undefined })),
    ...added.map((after) => ({ before: undefined, after })),
  ];
}
