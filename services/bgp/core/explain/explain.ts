// Why a prefix is routed as it is. Asks the same functions that have decided, so the answer is what
// happened and not a second opinion.
import {
  type Address,
  addressBits,
  formatAddress,
  formatPrefix,
  type Prefix,
  prefixOf,
} from '@calico/ip';
import { leakText } from '../policy/only_to_customer.ts';
import { fits, TOO_LONG } from '../rib/attribute_table.ts';
import type { Decision } from '../rib/decision.ts';
import type { RibEntry } from '../rib/loc_rib.ts';
import type { Path, PathData, PathSource } from '../rib/path.ts';
import type { Peer } from '../speaker/peer.ts';
import type { Speaker } from '../speaker/speaker.ts';

export type ExplainedPath = {
  readonly prefix: Prefix;
  readonly data: PathData;
  readonly source: PathSource;
  readonly isStale: boolean;
  readonly verdict: 'best' | 'equal' | 'worse' | 'rejected';
  readonly reason: string;
};

export type ExplainedExport = {
  readonly peer: string;
  /** What the peer is told; undefined: nothing. */
  readonly data: PathData | undefined;
  readonly reason: string;
};

export type Explanation = {
  readonly prefix: Prefix;
  /** The best first. */
  readonly paths: readonly ExplainedPath[];
  readonly exports: readonly ExplainedExport[];
};

/** @param peer only what concerns this peer */
export function explain(speaker: Speaker, prefix: Prefix, peer?: Peer): Explanation {
  const peers = peer === undefined ? [...speaker.peers.values()] : [peer];
  const entry = speaker.rib.get(prefix);
  const accepted = entry === undefined ? [] : explainCandidates(speaker, entry);
  const paths = [...accepted, ...peers.flatMap((each) => explainRefused(each, prefix))];
  const concerned =
    peer === undefined
      ? paths
      : paths.filter(({ verdict, source }) => verdict === 'best' || isFrom(source, peer));
  return {
    prefix,
    paths: concerned,
    exports: peers.flatMap((each) => explainExports(speaker, each, entry)),
  };
}

/** The longest prefix that contains the address and that somebody has told. */
export function longestMatch(speaker: Speaker, address: Address): Prefix | undefined {
  for (let length = addressBits(address.family); length >= 0; length--) {
    const prefix = prefixOf(address, length);
    if (isKnown(speaker, prefix)) return prefix;
  }
  return undefined;
}

export function isKnown(speaker: Speaker, prefix: Prefix): boolean {
  return (
    (speaker.rib.get(prefix)?.candidates.length ?? 0) > 0 ||
    [...speaker.peers.values()].some(
      ({ received }) => received.get(prefix) !== undefined || received.refusedTo(prefix).length > 0,
    )
  );
}

function isFrom(source: PathSource, { config }: Peer): boolean {
  return source.kind === 'peer' && source.peer === config.key;
}

function explainCandidates(speaker: Speaker, entry: RibEntry): ExplainedPath[] {
  const { best, multipath, candidates } = entry;
  const { decision } = speaker.rib;
  if (best === undefined) return [];
  const others = candidates.filter((path) => path !== best);
  const describe = (path: Path, verdict: ExplainedPath['verdict'], reason: string) => {
    const { prefix, data, source } = path;
    return { prefix, data, source, isStale: isStale(speaker, path), verdict, reason };
  };
  const rows = others.map((path) =>
    multipath.includes(path)
      ? describe(path, 'equal', 'as good as the best path but for the tie-breaks')
      : describe(path, 'worse', worseReason(decision, path, best, candidates)),
  );
  const reason = others.length === 0 ? 'the only path' : bestReason(decision, best, others);
  const sorted = rows.toSorted((a, b) => a.verdict.localeCompare(b.verdict));
  return [describe(best, 'best', reason), ...sorted];
}

/** Against each other path one rule has decided; the best path won by all of them. */
function bestReason(decision: Decision, best: Path, others: readonly Path[]): string {
  const rules = new Set(others.flatMap((other) => decision.whyBetter(best.row, other.row) ?? []));
  return [...rules].join(', ') || 'first of equals';
}

function worseReason(
  decision: Decision,
  path: Path,
  best: Path,
  candidates: readonly Path[],
): string {
  const rule = decision.whyBetter(best.row, path.row);
  if (rule !== undefined) return `the best path has: ${rule}`;
  // A path through the same AS with a lower MED takes it out before it is compared with the best.
  const found = decision.whyWorse(
    path.row,
    candidates.map(({ row }) => row),
  );
  const by = candidates.find(({ row }) => row === found?.by);
  return found === undefined || by === undefined
    ? 'no worse than the best path: same next hop'
    : `the path from "${sourceText(by.source)}" has: ${found.rule}`;
}

export function sourceText(source: PathSource): string {
  if (source.kind === 'peer') return formatAddress(source.address);
  return source.client ?? 'this node';
}

function isStale(speaker: Speaker, { prefix, source }: Path): boolean {
  return (
    source.kind === 'peer' && (speaker.peers.get(source.peer)?.received.isStale(prefix) ?? false)
  );
}

function explainRefused({ received }: Peer, prefix: Prefix): ExplainedPath[] {
  const cutOff = received.cutOffTo(prefix).map(({ data, source }) => {
    const reason = `next hop ${formatAddress(data.nextHop)} is not reachable`;
    return { data, source, reason };
  });
  const common = { prefix, isStale: received.isStale(prefix), verdict: 'rejected' } as const;
  return [...received.refusedTo(prefix), ...cutOff].map(({ data, source, reason }) => ({
    ...common,
    data,
    source,
    reason: leakText(reason, data.attributes),
  }));
}

/** One for each path that the peer is told, which are several with ADD-PATH; or why there is none. */
function explainExports(
  speaker: Speaker,
  peer: Peer,
  entry: RibEntry | undefined,
): ExplainedExport[] {
  const ofBest = explainExport(speaker, peer, entry, entry?.best);
  const addPath = peer.live?.negotiated.sendContext.addPath ?? [];
  if (entry === undefined || !addPath.includes(entry.prefix.family)) return [ofBest];
  const ofAll = entry.candidates.map((path) => {
    const { reason, ...rest } = explainExport(speaker, peer, entry, path);
    return { ...rest, reason: `path of "${sourceText(path.source)}": ${reason}` };
  });
  const told = ofAll.filter(({ data }) => data !== undefined);
  return told.length === 0 ? [ofBest] : told;
}

function explainExport(
  speaker: Speaker,
  { live, config, policy, advertised }: Peer,
  entry: RibEntry | undefined,
  path: Path | undefined,
): ExplainedExport {
  const peer = config.key;
  const none = (reason: string): ExplainedExport => ({ peer, data: undefined, reason });
  if (entry === undefined || path === undefined) return none('there is no path to tell');
  if (live === undefined) return none('the session is not established');
  if (!live.negotiated.families.includes(entry.prefix.family)) {
    return none(`the session does not carry IPv${entry.prefix.family} routes`);
  }
  const outcome = speaker.exportPolicy?.export(path, peer, policy);
  if (outcome === undefined) return none('there is no configuration yet');
  if (outcome.kind === 'rejected') return none(outcome.reason);
  if (!fits(outcome.data)) return none(TOO_LONG);
  const isTold = advertised.get(entry.prefix) !== undefined;
  const reason = isTold ? outcome.reason : `${outcome.reason}; waits until the peer takes more`;
  return { peer, data: outcome.data, reason };
}

/** What the kernel got, as a sentence. */
export function kernelText(
  prefix: Prefix,
  { route, problem }: { readonly route: string | undefined; readonly problem: string | undefined },
): string {
  if (problem !== undefined) return problem;
  return route === undefined
    ? `"${formatPrefix(prefix)}" gets no route from this service`
    : `"${route}" is in the kernel`;
}
