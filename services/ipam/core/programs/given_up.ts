// Assignments that were given up. A request whose answer was lost may still lie in etcd's socket, or in
// another process, and take effect after its handle was released: then nobody knows of the address. So
// every assignment compares a mark of its handle, and who releases because an outcome is unknown sets
// it: whatever of the handle is under way fails from then on. The handle's next assignment removes it.
import type { Draft, Entry, Known, Reading } from '../program.ts';
import { GIVEN_UP_PREFIX, givenUpKey } from '../records/keys.ts';
import { formatJson, parseJson } from '../records/lossless_json.ts';

/** Longer than a request can be under way. */
const KEPT_MS = 600_000;
/** Old marks that are removed along, at most. */
const MOST_REMOVED = 20;

/** The assignment fails when its handle is given up meanwhile. The caller has read `givenUpKey()`. */
export function unlessGivenUp(draft: Draft, handleId: string, known: Known): void {
  const key = givenUpKey(handleId);
  const mark = known.get(key);
  if (mark === undefined) draft.expect(key, undefined);
  else draft.delete(key, mark);
}

/** Marks the handle. `now` in milliseconds since the epoch. */
export function* giveUp(draft: Draft, handleId: string, now: number): Reading<void> {
  const key = givenUpKey(handleId);
  const known = yield { prefixes: [GIVEN_UP_PREFIX], isHint: true };
  const marks = known.list(GIVEN_UP_PREFIX);
  const mine = marks.find((mark) => mark.key === key);
  draft.put(key, mine, formatJson({ at: now }));
  const old = marks.filter((mark) => mark !== mine && now - timeOf(mark) > KEPT_MS);
  for (const mark of old.slice(0, MOST_REMOVED)) draft.delete(mark.key, mark);
}

function timeOf({ value }: Entry): number {
  try {
    const { at } = parseJson(value) as { at?: unknown };
    return Number(at ?? 0);
  } catch {
    return 0;
  }
}
