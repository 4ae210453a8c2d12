// The routing table as an MRT file: RFC 6396 section 4.3, with path identifiers where peers give them (RFC 8050).
import {
  encodeMrt,
  fitsMrt,
  joinBytes,
  type MrtEntry,
  MrtError,
  type MrtPeer,
  type MrtRecord,
} from '@calico/bgp-wire';
import type { Path } from '../rib/path.ts';
import type { Speaker } from './speaker.ts';

/** Records that are given out together: a few milliseconds of work where each has several paths. */
const RECORDS_PER_PIECE = 128;
const NOWHERE = { family: 4, value: 0n } as const;

/**
 * All paths, whole records in each piece; nothing before the first configuration. When a path was learned is
 * not remembered: it bears the time since which its session has been up.
 * @param now milliseconds since the epoch
 */
export function* dumpTable(speaker: Speaker, now: number): Generator<Uint8Array, void, undefined> {
  const local = speaker.config?.local;
  if (local === undefined) return;
  const timestamp = Math.floor(now / 1000);
  const { routerId, asn } = local;
  const sources = new Map<string, Source>([['', { index: 0, originated: timestamp }]]);
  const peers: MrtPeer[] = [{ address: NOWHERE, asn, routerId }];
  for (const [key, peer] of speaker.peers) {
    const { config, live, session, remoteAsn } = peer;
    const originated = Math.floor(session.since / 1000);
    sources.set(key, { index: peers.length, originated });
    const id = live?.negotiated.remoteOpen.routerId ?? 0;
    peers.push({ address: config.address, asn: remoteAsn, routerId: id });
  }
  yield encodeMrt({ kind: 'peers', timestamp, routerId, view: '', peers });
  let records: Uint8Array[] = [];
  let sequence = 0;
  for (const { prefix, candidates } of speaker.rib.entries()) {
    const isNumbered = candidates.some(({ pathId }) => pathId !== 0);
    const entries = candidates.flatMap((path) => entryOf(path, sources, isNumbered));
    records.push(encodeRoutes({ kind: 'routes', timestamp, sequence, prefix, entries }));
    sequence += 1;
    if (records.length < RECORDS_PER_PIECE) continue;
    yield joinBytes(records);
    records = [];
  }
  if (records.length > 0) yield joinBytes(records);
}

type Source = { readonly index: number; readonly originated: number };

/** Without what is too long for a record; hardly ever there is any, so nobody looks before. */
function encodeRoutes(record: Extract<MrtRecord, { readonly kind: 'routes' }>): Uint8Array {
  try {
    return encodeMrt(record);
  } catch (cause) {
    if (!(cause instanceof MrtError)) throw cause;
    return encodeMrt({ ...record, entries: record.entries.filter(fitsMrt) });
  }
}

/** Of a peer that is gone meanwhile there is no entry. */
function entryOf(
  { data, source, pathId }: Path,
  sources: ReadonlyMap<string, Source>,
  isNumbered: boolean,
): MrtEntry[] {
  const found = sources.get(source.kind === 'peer' ? source.peer : '');
  if (found === undefined) return [];
  const { attributes, nextHop } = data;
  const { index: peer, originated } = found;
  return [{ peer, originated, ...(isNumbered && { pathId }), attributes, nextHop }];
}
