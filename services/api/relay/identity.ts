// Revisions compare only within one history of one etcd. Its cluster id does not tell histories apart
// (an etcd wiped, or restored from a backup, may keep it), so a mark of our own lies beside the data.
import type { Store } from '@calico/store';

/** Outside /calico/, so that it is nobody's data. */
const IDENTITY_KEY = '/calico-relay/identity';

/**
 * Identity of etcd's history: "<cluster id>-<mark>". A new mark is made when there is none, or when
 * `seenRevision`, published under the current mark, is not reached yet: etcd has gone back in time.
 * Throws StoreUnavailable.
 */
export async function readIdentity(
  store: Store,
  newMark: () => string,
  published: { readonly etcdClusterId: string; readonly revision: bigint } | undefined,
  signal: AbortSignal,
): Promise<string> {
  const clusterId = await store.clusterId();
  for (;;) {
    const { entries, revision } = await store.list(IDENTITY_KEY, { signal, limit: 1 });
    const entry = entries.find(({ key }) => key === IDENTITY_KEY);
    const identity = `${clusterId}-${entry?.value ?? ''}`;
    const hasGoneBack =
      published !== undefined &&
      published.etcdClusterId === identity &&
      published.revision > revision;
    if (entry !== undefined && !hasGoneBack) return identity;
    const value = newMark();
    const result = await store.commit(
      {
        compare: [{ key: IDENTITY_KEY, modRevision: entry?.modRevision ?? 0n }],
        operations: [{ kind: 'put', key: IDENTITY_KEY, value }],
      },
      { signal },
    );
    if (result.kind === 'committed') return `${clusterId}-${value}`;
  }
}
