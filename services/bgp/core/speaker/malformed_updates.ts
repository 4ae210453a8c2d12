// UPDATEs of a peer that are not as they should be.
import type { Treatment } from '@calico/bgp-wire';
import type { UpdateNews } from './events.ts';

/** How many of them, by what was done for their faults (RFC 7606 section 2): the strongest of a message. */
export type MalformedUpdates = {
  readonly treatAsWithdraw: number;
  readonly attributeDiscard: number;
  readonly sessionReset: number;
};

export const NO_MALFORMED: MalformedUpdates = {
  treatAsWithdraw: 0,
  attributeDiscard: 0,
  sessionReset: 0,
};

/** Takes what there was to say of one UPDATE into the counts. */
export function countMalformed(
  counts: MalformedUpdates,
  news: readonly UpdateNews[],
): MalformedUpdates {
  // So it is with nearly all.
  if (news.length === 0) return counts;
  if (isTreated(news, 'treat-as-withdraw')) {
    return { ...counts, treatAsWithdraw: counts.treatAsWithdraw + 1 };
  }
  if (isTreated(news, 'attribute-discard')) {
    return { ...counts, attributeDiscard: counts.attributeDiscard + 1 };
  }
  return counts;
}

/** One has ended the session. */
export function countReset(counts: MalformedUpdates): MalformedUpdates {
  return { ...counts, sessionReset: counts.sessionReset + 1 };
}

function isTreated(news: readonly UpdateNews[], treatment: Treatment): boolean {
  return news.some((each) => each.kind === 'malformed' && each.treatment === treatment);
}
