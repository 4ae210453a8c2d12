// Peers that are told the same: one export policy, one Adj-RIB-Out, messages written once.

import type { AttributeRewrite } from '@calico/bgp-wire';
import type { Family } from '@calico/ip';
import type { ExportPolicy } from '../policy/export_policy.ts';
import { rejectEverything } from '../policy/prefix_rules.ts';
import type { PeerPolicy } from '../policy/types.ts';
import { AdjRibOut, type Change } from '../rib/adj_rib_out.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import type { PathSource } from '../rib/path.ts';
import { settingsText } from './config.ts';
import type { Live, Peer } from './peer.ts';

/** Everything that the bytes for a peer depend on. Equal texts: the peers are told the same. */
export function groupKeyOf(peer: Peer, { negotiated }: Live, policy: ExportPolicy): string {
  const { address: _address, allowedOwnAs: _allowed, filters, ...rest } = peer.policy;
  const { sendContext, families } = negotiated;
  const isNear = policy.sharesSubnet(peer.policy);
  return settingsText([rest, filters.export, isNear, sendContext, families]);
}

const NONE = -1;

type Verdict = {
  readonly kind: number;
  readonly source: number;
  /** Number in the attribute table. */
  readonly nextHop: number;
  /** Undefined: the route is not told. */
  readonly rewrite: AttributeRewrite | undefined;
};

export class UpdateGroup {
  key: string;
  out: AdjRibOut;
  readonly #rib: LocRib;
  readonly #families: readonly Family[];
  /** Families of which all paths are told (RFC 7911). */
  readonly #addPath: readonly Family[];
  #policy: ExportPolicy;
  #peerPolicy: PeerPolicy;
  #tellsNothing: boolean;
  /** Next prefix to be judged, as the whole table is gone through; -1: done. */
  #filled = 0;
  /** The source asked about last, and whether any of its routes is told: in a mesh none is. */
  #asked = NONE;
  #isAskedTold = false;
  /** The route judged last, and the outcome: routes of one attribute set come one after another. */
  #attributes = NONE;
  #source = NONE;
  #kind = NONE;
  #outcome = NONE;
  /** What became of the last unmarked set: the same for all of its kind, source and next hop. */
  #verdict: Verdict | undefined;

  constructor(rib: LocRib, key: string, peer: Peer, live: Live, policy: ExportPolicy) {
    const { sendContext, families } = live.negotiated;
    this.key = key;
    this.#rib = rib;
    this.#policy = policy;
    this.#peerPolicy = peer.policy;
    this.#families = families;
    this.#tellsNothing = tellsNothing(peer.policy, families);
    this.#addPath = sendContext.addPath;
    this.out = new AdjRibOut(rib.prefixes, rib.told, sendContext);
  }

  get hasAddPath(): boolean {
    return this.#addPath.length > 0;
  }

  /** Whether aggregates stand for what is inside of them. */
  get hearsAggregates(): boolean {
    const { isInternal, isMember } = this.#peerPolicy;
    return !isInternal && isMember !== true;
  }

  /** Lets go of what it holds; its table is drained by whoever keeps it. */
  close(): void {
    this.#forgetLast();
  }

  /** Whether every prefix of the table has been judged. */
  get isFilled(): boolean {
    return this.#filled < 0;
  }

  /** Judges everything anew, bit by bit; what comes out as before is not told again. */
  refill(key: string, peer: Peer, policy: ExportPolicy): void {
    this.key = key;
    this.#policy = policy;
    this.#peerPolicy = peer.policy;
    this.#tellsNothing = tellsNothing(peer.policy, this.#families);
    this.#filled = 0;
    this.#endSlice();
  }

  /** Judges up to `limit` more prefixes of the table. */
  fill(limit: number): void {
    if (this.#isSilent) {
      this.#filled = -1;
      return;
    }
    const { prefixes } = this.#rib;
    const end = Math.min(prefixes.limit, this.#filled + limit);
    for (let prefix = this.#filled; prefix < end; prefix++) {
      if (prefixes.has(prefix)) this.update(prefix);
    }
    this.#filled = end < prefixes.limit ? end : -1;
    this.#endSlice();
  }

  /**
   * Takes the changes of some prefixes in.
   * @param isHeld nothing is withdrawn: fill(), which is yet to begin, does that
   */
  updateAll(changed: readonly number[], isHeld = false): void {
    if (this.#isSilent) return;
    for (const prefix of changed) this.update(prefix, isHeld);
    this.#endSlice();
  }

  update(prefix: number, isHeld = false): void {
    const rib = this.#rib;
    const family = rib.prefixes.familyOf(prefix);
    if (!this.#families.includes(family)) return;
    if (this.#addPath.includes(family)) {
      const changes = this.#changesOf(prefix);
      if (changes.length > 0 || !isHeld) this.out.setAll(prefix, changes);
      for (const { attributes } of changes) rib.told.release(attributes);
      return;
    }
    if (rib.isUndecided(prefix)) return;
    const best = rib.bestOf(prefix);
    const attributes = best < 0 ? NONE : this.#judge(prefix, best);
    if (attributes < 0 && isHeld) return;
    this.out.set(prefix, attributes, best < 0 ? NONE : rib.paths.sourceOf(best));
  }

  /** Nobody is told anything, nor has to forget anything. */
  get #isSilent(): boolean {
    return this.#tellsNothing && this.out.size === 0;
  }

  /** All paths that are told. The caller releases their attributes. */
  #changesOf(prefix: number): Change[] {
    const { paths } = this.#rib;
    const changes: Change[] = [];
    for (let row = paths.firstOf(prefix); row >= 0; row = paths.nextOf(row)) {
      if (!paths.isUsable(row)) continue;
      const attributes = this.#judge(prefix, row);
      if (attributes < 0) continue;
      // What is judged next takes its place here.
      this.#rib.told.retain(attributes);
      changes.push({ path: row, attributes, source: paths.sourceOf(row) });
    }
    return changes;
  }

  /** Attributes that the path is told with; below 0: it is not. */
  #judge(prefix: number, row: number): number {
    const { paths, prefixes } = this.#rib;
    const attributes = paths.attributesOf(row);
    const source = paths.sourceOf(row);
    if (!this.#tells(source)) return NONE;
    const kind = this.#policy.kindOf(prefixes, prefix, this.#peerPolicy);
    if (
      kind >= 0 &&
      kind === this.#kind &&
      attributes === this.#attributes &&
      source === this.#source
    ) {
      return this.#outcome;
    }
    this.#forgetLast();
    this.#outcome = kind < 0 ? this.#make(row) : this.#pass(row, kind);
    this.#kind = kind;
    this.#attributes = attributes;
    this.#source = source;
    return this.#outcome;
  }

  #tells(source: number): boolean {
    if (source !== this.#asked) {
      this.#asked = source;
      this.#isAskedTold = this.#policy.tells(this.#rib.paths.sourceAt(source), this.#peerPolicy);
    }
    return this.#isAskedTold;
  }

  /** By way of decoded attributes, which filters may change in any way. */
  #make(row: number): number {
    const outcome = this.#policy.export(this.#rib.pathOf(row), '', this.#peerPolicy);
    return outcome.kind === 'accepted' ? this.#rib.attributes.intern(outcome.data) : NONE;
  }

  /** No filter looks at it: what is told follows from the bytes that were received. */
  #pass(row: number, kind: number): number {
    const { attributes, paths } = this.#rib;
    const id = paths.attributesOf(row);
    const from = this.#rib.sourceOf(row);
    if (from.kind === 'local' || !attributes.isPlain(id)) return this.#make(row);
    const source = paths.sourceOf(row);
    const nextHop = attributes.nextHopNumberOf(id);
    const known = this.#verdict;
    const isUnmarked = attributes.isUnmarked(id);
    const isKnown =
      isUnmarked && known?.nextHop === nextHop && known.source === source && known.kind === kind;
    const rewrite = isKnown ? known.rewrite : this.#rewriteOf(row, from);
    if (isUnmarked && !isKnown) this.#verdict = { kind, source, nextHop, rewrite };
    return rewrite === undefined ? NONE : this.#rib.told.rewrite(id, rewrite);
  }

  #rewriteOf(row: number, source: PathSource & { kind: 'peer' }): AttributeRewrite | undefined {
    const verdict = this.#policy.judge(this.#rib.pathOf(row), '', this.#peerPolicy);
    if (verdict.kind === 'rejected') return undefined;
    return this.#policy.rewriteOf(source, this.#peerPolicy, verdict.nextHop);
  }

  /** What is known of sources and next hops by their numbers may mean others afterwards. */
  #endSlice(): void {
    this.#verdict = undefined;
    this.#asked = NONE;
    this.#forgetLast();
  }

  #forgetLast(): void {
    if (this.#outcome >= 0) this.#rib.told.release(this.#outcome);
    this.#outcome = NONE;
    this.#kind = NONE;
    this.#attributes = NONE;
  }
}

function tellsNothing({ filters }: PeerPolicy, families: readonly Family[]): boolean {
  return families.every((family) => rejectEverything(filters.export[family]));
}
