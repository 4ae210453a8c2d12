// The recorded history of who held which address, and whether it can be true.
//
// A handle is used once: an assignment, then a release. Each may have been sent several times, until
// its outcome was known; it took effect somewhere between the first request and the last answer. So
// between the answer of the assignment and the request of the release the handle surely held its
// addresses, and outside of assignment and release it surely did not. The history of an address is
// linearizable exactly if the sure intervals of its handles are disjoint: then they can be put in order,
// each release taking effect at its request and each assignment at its answer.

export type Holding = {
  readonly handleId: string;
  readonly address: string;
  /** Instants of one monotonic clock, in ms: first request and last answer of the assignment. */
  readonly assigned: readonly [request: number, answer: number];
  /** First request of the release; Infinity while it is held. */
  released: number;
};

/** One sentence per address that surely had two owners at once. */
export function doubleOwners(holdings: readonly Holding[]): string[] {
  const problems: string[] = [];
  for (const [address, ofAddress] of Map.groupBy(holdings, (one) => one.address)) {
    const inOrder = ofAddress.toSorted((a, b) => a.assigned[1] - b.assigned[1]);
    let last: Holding | undefined;
    for (const next of inOrder) {
      if (last !== undefined && next.assigned[1] < last.released) {
        problems.push(
          `${address}: held by "${last.handleId}" until ${last.released}, by "${next.handleId}" from ${next.assigned[1]}`,
        );
      }
      if (last === undefined || next.released > last.released) last = next;
    }
  }
  return problems;
}
