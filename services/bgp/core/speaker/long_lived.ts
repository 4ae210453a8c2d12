// Routes of a peer that is away for longer than its restart time: RFC 9494. They stay as a last resort,
// marked for whoever is told of them.
import { Community } from '@calico/bgp-wire';
import type { Family } from '@calico/ip';
import { ImportJudge } from '../policy/import_judge.ts';
import type { ImportPolicy } from '../policy/import_policy.ts';
import { addCommunities } from '../policy/route_filter.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import type { PathData } from '../rib/path.ts';
import type { Peer } from './peer.ts';

/** How long the routes of a lost peer may stay, and how much of that is over. */
export class LongLived {
  readonly #seconds: ReadonlyMap<Family, number>;
  #passed = 0;

  constructor(seconds: ReadonlyMap<Family, number> = new Map()) {
    this.#seconds = seconds;
  }

  /** Their restart time is over, but nothing of this one yet. */
  get isNew(): boolean {
    return this.#passed === 0;
  }

  /** Families whose time is not over. */
  get families(): readonly Family[] {
    return ([4, 6] as const).filter((family) => (this.#seconds.get(family) ?? 0) > this.#passed);
  }

  /** Milliseconds until the next family's time is over, from which on it counts as over. */
  advance(): number {
    const before = this.#passed;
    this.#passed = Math.min(...this.families.map((family) => this.#seconds.get(family) ?? 0));
    return 1000 * (this.#passed - before);
  }
}

/** Rows of the table that one call goes through. */
const WALK = 4_096;
const MARK = { standard: [Community.LongLivedStale], large: [] };

/** Routes that are being marked: of these families, from this row on. */
export type Ageing = { readonly families: readonly Family[]; readonly next: number };

/**
 * Goes on marking what peer.ageing says, and judges it anew; those that must not stay long go. Whether
 * there is more.
 */
export function ageSome(peer: Peer, imports: ImportPolicy, rib: LocRib): boolean {
  const { received, policy, ageing } = peer;
  if (ageing === undefined) return false;
  const { families, next } = ageing;
  const judge = new ImportJudge(rib, imports, policy);
  const end = received.age(families, next, WALK, ageData, (prefix, id) => judge.judge(prefix, id));
  judge.done();
  peer.ageing = end < 0 ? undefined : { families, next: end };
  return end >= 0;
}

function ageData(data: PathData): PathData | undefined {
  if (data.attributes.communities?.includes(Community.NoLongLived)) return undefined;
  return addCommunities(data, MARK);
}
