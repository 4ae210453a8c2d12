// Reading what programs ask for, and the manners of trying again.
import type { Entry as StoreEntry } from '@calico/store';
import type { Listing } from '../core/batch.ts';
import { IpamError } from '../core/ipam_error.ts';
import type { Random, RecordStore } from '../ports.ts';

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;
const PAGE = 500;

/** How often a program is started at most. */
export const MAX_ATTEMPTS = 60;

export type Readings = {
  readonly entries: ReadonlyMap<string, StoreEntry | undefined>;
  readonly listings: ReadonlyMap<string, Listing>;
};

/** Everything at once, each key once. */
export async function readAll(
  store: RecordStore,
  wanted: { readonly keys: readonly string[]; readonly prefixes: readonly string[] },
  signal?: AbortSignal,
): Promise<Readings> {
  const entries = new Map<string, StoreEntry | undefined>();
  const listings = new Map<string, Listing>();
  await Promise.all([
    ...[...new Set(wanted.keys)].map(async (key) => {
      entries.set(key, await store.get(key, callOptions(signal)));
    }),
    ...[...new Set(wanted.prefixes)].map(async (prefix) => {
      listings.set(prefix, await listAll(store, prefix, signal));
    }),
  ]);
  return { entries, listings };
}

async function listAll(
  store: RecordStore,
  prefix: string,
  signal: AbortSignal | undefined,
): Promise<Listing> {
  const first = await store.list(prefix, { limit: PAGE, ...callOptions(signal) });
  const { revision } = first;
  const entries = [...first.entries];
  let { more } = first;
  while (more) {
    const after = entries.at(-1)?.key;
    if (after === undefined) break;
    const page = await store.list(prefix, {
      limit: PAGE,
      after,
      revision,
      ...callOptions(signal),
    });
    entries.push(...page.entries);
    more = page.more;
  }
  return { entries, revision };
}

/** Milliseconds to wait after a lost race; `attempt` counts from 0. */
export function pauseAfter(attempt: number, random: Random): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * random();
}

export function tooOften(attempts: number): IpamError {
  return new IpamError(
    'contended',
    `Cannot change the records: ${attempts} times another writer was faster; try again`,
  );
}

export function callOptions(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
