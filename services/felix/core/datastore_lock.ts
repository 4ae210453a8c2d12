// `calicoctl datastore migrate lock`: while the datastore moves, no workload is added.
import type { ClusterInformation } from '@calico/model';

/** Why nothing may be added now; undefined when it may. */
export function datastoreLock(found: readonly ClusterInformation[]): string | undefined {
  if (!found.some(({ spec }) => spec.datastoreReady === false)) return undefined;
  return 'the datastore is locked (ClusterInformation "default" has datastoreReady false); "calicoctl datastore migrate unlock" opens it';
}
