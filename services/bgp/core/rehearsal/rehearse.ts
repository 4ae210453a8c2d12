// When a rehearsal is played: in time that nobody needs.
import type { CancelTimer, Clock } from '@calico/clock';
import type { LocRib } from '../rib/loc_rib.ts';
import type { Rehearsal } from './rehearsal.ts';

/** A scene is followed by a rest of so many times as long, and at least the shortest. */
const REST = 3;
const SHORTEST_REST_MS = 2;
/** After peers have told routes, or taken some back. */
const BUSY_REST_MS = 100;
/** So many real paths have made the code as fast as a rehearsal would. */
const ENOUGH = 20_000;

/**
 * Plays a rehearsal while the node has as many paths as before: its own peers hardly tell anything then.
 * @param rib the node's own
 * @returns ends it
 */
export function rehearse(
  clock: Clock,
  { paths }: LocRib,
  begin: () => Pick<Rehearsal, 'next'>,
): CancelTimer {
  let rehearsal: Pick<Rehearsal, 'next'> | undefined;
  let known = paths.size;
  const play = (): void => {
    const { size } = paths;
    if (size >= ENOUGH) return end();
    if (size !== known) {
      known = size;
      cancel = clock.setTimer(BUSY_REST_MS, play);
      return;
    }
    const before = clock.monotonic();
    rehearsal ??= begin();
    if (!rehearsal.next()) return end();
    const rest = Math.max(SHORTEST_REST_MS, (clock.monotonic() - before) * REST);
    cancel = clock.setTimer(rest, play);
  };
  /** Otherwise whoever may end it would hold its tables. */
  const end = (): void => {
    rehearsal = undefined;
  };
  let cancel = clock.setTimer(SHORTEST_REST_MS, play);
  return () => {
    cancel();
    end();
  };
}
