// Routes of a peer that is away for longer than its restart time: RFC 9494. They stay as a last resort,
// marked for whoever is told of them.
import { Community } from '@calico/bgp-wire';
import type { Family } from '@calico/ip';
import { ImportJudge } from '../policy/import_judge.ts';
import type { ImportPolicy } from '../policy/import_policy.ts';
import { addCommunities } from '../policy/route_filter.ts';
import type { WalkBudget } from '../rib/adj_rib_in.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import type { PathData } from '../rib/path.ts';
import type { NegotiatedGracefulRestart } from '../session/types.ts';
import { FAMILIES } from './config.ts';
import type { Peer } from './peer.ts';

/** When routes of a family become a last resort, and when they go: seconds since the loss of the peer. */
type Stay = { readonly agesAt: number; readonly endsAt: number };

/** How long the routes of a lost peer may stay, and how much of that is over. */
export class LongLived {
  readonly #stays = new Map<Family, Stay>();
  readonly #lostAt: number;
  #passed = 0;

  /**
   * A family that may stay long, but takes no part in graceful restart, has no restart time.
   * @param lostAt milliseconds
   * @param before of a loss that the peer has not made up for: its end stays (RFC 9494 section 4.2)
   */
  constructor(restart?: NegotiatedGracefulRestart, lostAt = 0, before?: LongLived) {
    this.#lostAt = lostAt;
    for (const family of FAMILIES) {
      const isShort = restart?.families.includes(family) === true;
      const staleSeconds = restart?.longLived.get(family);
      if (restart === undefined || (!isShort && staleSeconds === undefined)) continue;
      const agesAt = isShort ? restart.restartTimeSeconds : 0;
      const endsAt = Math.min(
        agesAt + (staleSeconds ?? 0),
        before?.leftOf(family, lostAt) ?? Infinity,
      );
      this.#stays.set(family, { agesAt, endsAt });
    }
  }

  /** Something may stay longer than the restart time. */
  get isLong(): boolean {
    return [...this.#stays.values()].some(({ agesAt, endsAt }) => endsAt > agesAt);
  }

  /** The restart time of all is over: what is left ends at its time, also when the peer is back (RFC 9494 section 4.2). */
  get isOn(): boolean {
    return this.isLong && [...this.#stays.values()].every(({ agesAt }) => this.#passed >= agesAt);
  }

  /** Seconds that a family may still stay; `now` in milliseconds. */
  leftOf(family: Family, now: number): number | undefined {
    const stay = this.#stays.get(family);
    return stay && Math.max(0, stay.endsAt - (now - this.#lostAt) / 1000);
  }

  /** Families whose time is not over. */
  get families(): readonly Family[] {
    return FAMILIES.filter((family) => this.#passed < (this.#stays.get(family)?.endsAt ?? 0));
  }

  /** Those of them that have become a last resort just now. */
  get ageing(): readonly Family[] {
    return this.families.filter((family) => this.#stays.get(family)?.agesAt === this.#passed);
  }

  /** Milliseconds until something is over. */
  get delayMs(): number {
    return 1000 * (this.#next - this.#passed);
  }

  /** Families without any time left. */
  get over(): readonly Family[] {
    const { families } = this;
    return FAMILIES.filter((family) => !families.includes(family));
  }

  /** That time is over. */
  advance(): void {
    this.#passed = this.#next;
  }

  /** Families whose routes stay when the peer is back; in the long time another F bit decides than before. */
  keptAfter(restart: NegotiatedGracefulRestart | undefined): readonly Family[] {
    return FAMILIES.filter((family) => {
      const isLong = this.#passed >= (this.#stays.get(family)?.agesAt ?? Number.POSITIVE_INFINITY);
      return (isLong ? restart?.longLivedForwarding : restart?.forwarding)?.includes(family);
    });
  }

  get #next(): number {
    const times = [...this.#stays.values()].flatMap(({ agesAt, endsAt }) => [agesAt, endsAt]);
    return Math.min(...times.filter((time) => time > this.#passed));
  }
}

const MARK = { standard: [Community.LongLivedStale], large: [] };

/** Routes that are being marked: of these families, from this row on. */
export type Ageing = { readonly families: readonly Family[]; readonly next: number };

/**
 * Goes on marking what peer.ageing says, and judges it anew; those that must not stay long go.
 */
export function ageSome(peer: Peer, imports: ImportPolicy, rib: LocRib, budget: WalkBudget): void {
  const { received, policy, ageing } = peer;
  if (ageing === undefined) return;
  const { families, next } = ageing;
  const judge = new ImportJudge(rib, imports, policy);
  const end = received.age(families, next, budget, ageData, (prefix, id) =>
    judge.judge(prefix, id),
  );
  judge.done();
  peer.ageing = end < 0 ? undefined : { families, next: end };
}

/** Routes of families whose restart time is over become a last resort. */
export function beginToAge(peer: Peer): void {
  const { ageing } = peer.longLived;
  if (ageing.length === 0) return;
  peer.ageing = { families: [...ageing, ...(peer.ageing?.families ?? [])], next: 0 };
}

function ageData(data: PathData): PathData | undefined {
  if (data.attributes.communities?.includes(Community.NoLongLived)) return undefined;
  return addCommunities(data, MARK);
}
