// How long felix waits for api and ipam. These wait for etcd themselves and ought to answer first: whether a call without
// an answer has had an effect is in doubt, and costs felix more than a refusal.

/** Deadlines of calls in milliseconds. */
export type Patience = {
  /** Of what an ADD waits for. */
  readonly writeMs: number;
  readonly leaseMs: number;
  /** What is not removed in time is removed later. */
  readonly removeMs: number;
  readonly probeMs: number;
};

const USUAL_SECONDS = 3;
/** An ADD may ask both ipam and api, after waiting for the cluster's state, and the CNI plugin waits 25 s for it. */
const LONGEST = 2.5;

/** In proportion to what etcd may take; never less than usual. */
export function patienceFor(etcdTimeoutSeconds: number): Patience {
  const factor = Math.min(Math.max(etcdTimeoutSeconds / USUAL_SECONDS, 1), LONGEST);
  const long = (usualMs: number): number => Math.ceil(usualMs * factor);
  return {
    writeMs: long(4_000),
    leaseMs: long(3_000),
    removeMs: long(2_000),
    probeMs: long(1_000),
  };
}

export const USUAL_PATIENCE = patienceFor(USUAL_SECONDS);
