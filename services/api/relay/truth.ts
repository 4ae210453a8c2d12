import { IPAM_ROOT, RESOURCE_ROOT } from '@calico/model';
import type { Listing, Store } from '@calico/store';
import { type Change, readEntry } from './change.ts';
import type { Truth } from './ledger.ts';

const PAGE = 1_000;
const ROOTS = [
  RESOURCE_ROOT,
  `${IPAM_ROOT}assignment/`,
  `${IPAM_ROOT}host/`,
  `${IPAM_ROOT}virtual/`,
] as const;

/** Everything that nodes need, at one revision. Throws StoreUnavailable, CompactedError. */
export async function readTruth(
  store: Store,
  signal: AbortSignal,
  unreadable: (reason: string) => void,
): Promise<Truth> {
  const puts = new Map<string, Change>();
  let revision: bigint | undefined;
  for (const root of ROOTS) {
    let after: string | undefined;
    for (;;) {
      const page: Listing = await store.list(root, {
        signal,
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
        ...(revision === undefined ? {} : { revision }),
      });
      revision ??= page.revision;
      for (const { key, value, modRevision } of page.entries) {
        const read = readEntry(key, value, modRevision);
        if (read.kind === 'put') puts.set(read.change.subject, read.change);
        if (read.kind === 'unreadable') unreadable(read.reason);
      }
      after = page.entries.at(-1)?.key;
      if (!page.more) break;
    }
  }
  return { revision: revision ?? 0n, puts };
}
