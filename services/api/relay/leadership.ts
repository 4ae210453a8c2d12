// One leader among the replicas: who holds a key that lives as long as its holder's lease.
import type { Clock } from '@calico/clock';
import type { Lease, Store } from '@calico/store';

/** Outside /calico/, so that it is nobody's data. */
export const LEADER_KEY = '/calico-relay/leader';

const LEASE_SECONDS = 5;
/** How often a candidate looks by itself, should the watch have missed something. */
const LOOK_AGAIN_MS = 2_000;

export type CampaignOptions = {
  readonly store: Store;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Value of the key, for people who look. */
  readonly candidate: string;
};

export interface Leadership {
  /** Aborts when the lease is lost or someone else took or removed the key. */
  readonly signal: AbortSignal;
  /** Gives the place up. */
  resign(): Promise<void>;
}

/** Resolves once this candidate leads. Throws StoreUnavailable, the signal's reason. */
export async function campaign(options: CampaignOptions): Promise<Leadership> {
  const { store, signal } = options;
  for (;;) {
    signal.throwIfAborted();
    const holder = await store.get(LEADER_KEY, { signal });
    if (holder === undefined) {
      const lease = await store.lease(LEASE_SECONDS, signal);
      const won = await tryToTake(options, lease);
      if (won !== undefined) return new HeldPlace(options, lease, won);
      await lease.revoke();
    } else {
      await vacated(options, holder.modRevision + 1n);
    }
  }
}

/** Revision at which the place was taken; undefined: someone was faster. Throws StoreUnavailable. */
async function tryToTake(
  { store, signal, candidate }: CampaignOptions,
  lease: Lease,
): Promise<bigint | undefined> {
  try {
    const result = await store.commit(
      {
        compare: [{ key: LEADER_KEY, modRevision: 0n }],
        operations: [{ kind: 'put', key: LEADER_KEY, value: candidate, lease }],
      },
      { signal },
    );
    return result.kind === 'committed' ? result.revision : undefined;
  } catch (cause) {
    // Perhaps the key was written: kept alive, the lease would keep the place taken by nobody.
    await lease.revoke().catch(() => {});
    throw cause;
  }
}

class HeldPlace implements Leadership {
  readonly #options: CampaignOptions;
  readonly #lease: Lease;
  readonly #lost = new AbortController();
  readonly signal: AbortSignal;

  constructor(options: CampaignOptions, lease: Lease, revision: bigint) {
    this.#options = options;
    this.#lease = lease;
    this.signal = AbortSignal.any([options.signal, this.#lost.signal]);
    void lease.lost.then(() => this.#lose('the lease is lost'));
    void this.#guard(revision);
  }

  async resign(): Promise<void> {
    this.#lose('resigned');
    await this.#lease.revoke().catch(() => {
      // It runs out by itself.
    });
  }

  #lose(why: string): void {
    this.#lost.abort(new Error(`Cannot go on leading: ${why}`));
  }

  /** Two leaders do no harm to the stream, but they would never come to rest. */
  async #guard(revision: bigint): Promise<void> {
    const { store, clock } = this.#options;
    while (!this.signal.aborted) {
      try {
        const held = await store.get(LEADER_KEY, { signal: this.signal });
        if (held?.modRevision !== revision) return this.#lose('the key is no longer ours');
        await changed(store, revision + 1n, this.signal);
      } catch {
        // etcd is away for a moment; the lease says when that is too long.
        await clock.sleep(LOOK_AGAIN_MS, this.signal).catch(() => {});
      }
    }
  }
}

/** Until the key changes. Throws CompactedError, StoreUnavailable. */
async function changed(store: Store, fromRevision: bigint, signal: AbortSignal): Promise<void> {
  for await (const { events } of store.watch(LEADER_KEY, fromRevision, signal)) {
    if (events.length > 0) return;
  }
}

/** Until the key changes or it is time to look again. */
async function vacated(
  { store, clock, signal }: CampaignOptions,
  fromRevision: bigint,
): Promise<void> {
  const stop = new AbortController();
  const cancel = clock.setTimer(LOOK_AGAIN_MS, () => stop.abort());
  try {
    await changed(store, fromRevision, AbortSignal.any([signal, stop.signal]));
  } catch {
    // Compacted or lost: the next look says what is.
    await clock.sleep(LOOK_AGAIN_MS, signal);
  } finally {
    cancel();
    stop.abort();
  }
}
