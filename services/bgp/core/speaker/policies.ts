// The policies in force, and the walk over the tables that a new one asks for.
import { ExportPolicy, type InterfaceOf } from '../policy/export_policy.ts';
import { ImportJudge } from '../policy/import_judge.ts';
import { ImportPolicy } from '../policy/import_policy.ts';
import type { LocalPolicy } from '../policy/types.ts';
import type { WalkBudget } from '../rib/adj_rib_in.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import type { Negotiated } from '../session/types.ts';
import { Inbound } from './inbound.ts';
import { ageSome } from './long_lived.ts';
import type { Peer } from './peer.ts';
import type { UpdateGroups } from './update_groups.ts';

/** Rows of the table that one call passes over: a tenth of a millisecond. */
const ROWS = 16_384;
/** To judge a path, which may have to be decoded and changed, takes so many times as long as to decide on a prefix. */
const COST = 4;

export class Policies {
  readonly #rib: LocRib;
  readonly #groups: UpdateGroups;
  readonly #interfaceOf: InterfaceOf;
  /** Undefined before the first configuration. */
  exports: ExportPolicy | undefined;
  imports: ImportPolicy | undefined;

  constructor(rib: LocRib, groups: UpdateGroups, interfaceOf: InterfaceOf) {
    this.#rib = rib;
    this.#groups = groups;
    this.#interfaceOf = interfaceOf;
  }

  make(local: LocalPolicy): ExportPolicy {
    this.exports = new ExportPolicy(local, this.#interfaceOf);
    this.imports = new ImportPolicy(local, this.#interfaceOf);
    return this.exports;
  }

  /** Judges the peers' routes anew, and tells them what changes for them; rejudge() does it bit by bit. */
  apply(peers: readonly Peer[]): void {
    if (this.exports === undefined) return;
    for (const peer of peers) {
      const { live, received } = peer;
      const isClient = peer.config.policy.isReflectorClient;
      peer.rejudged = 0;
      received.setClient(isClient);
      if (live === undefined) continue;
      live.source = { ...live.source, isClient };
      peer.inbound = this.inboundFor(peer, live.negotiated);
    }
    this.#groups.regroup(peers, this.exports);
  }

  inboundFor(peer: Peer, negotiated: Negotiated): Inbound | undefined {
    if (this.imports === undefined) return undefined;
    const judge = new ImportJudge(this.#rib, this.imports, peer.policy);
    const isOnLink = peer.config.interface !== undefined;
    return new Inbound(this.#rib, judge, peer.received.source, negotiated, isOnLink);
  }

  /**
   * Goes on judging routes by a new policy, or because they become old; whether there is more.
   * @param prefixes that could be decided on in the time that this may take
   * @param onDone told of each peer of whom nothing is left to judge
   */
  rejudge(peers: Iterable<Peer>, prefixes: number, onDone: (peer: Peer) => void): boolean {
    const { imports } = this;
    if (imports === undefined) return false;
    const budget = { rows: ROWS, paths: Math.ceil(prefixes / COST) };
    let isMore = false;
    for (const peer of peers) {
      if (peer.ageing === undefined && peer.rejudged === undefined) continue;
      ageSome(peer, imports, this.#rib, budget);
      this.#rejudgeSome(peer, imports, budget);
      if (peer.ageing !== undefined || peer.rejudged !== undefined) isMore = true;
      else onDone(peer);
    }
    return isMore;
  }

  #rejudgeSome(peer: Peer, imports: ImportPolicy, budget: WalkBudget): void {
    if (peer.rejudged === undefined) return;
    const judge = new ImportJudge(this.#rib, imports, peer.policy);
    const next = peer.received.reconsider(peer.rejudged, budget, (prefix, received) =>
      judge.judge(prefix, received),
    );
    judge.done();
    peer.rejudged = next < 0 ? undefined : next;
  }
}
