// Which peers are told the same. A peer joins the group with its key; when policies change, members
// that go on together stay together and keep what they know.
import type { ExportPolicy } from '../policy/export_policy.ts';
import type { AdjRibOut } from '../rib/adj_rib_out.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import { Reader } from '../rib/out_reader.ts';
import { Advertised } from './advertised.ts';
import type { Live, Peer } from './peer.ts';
import { groupKeyOf, UpdateGroup } from './update_group.ts';

type LivePeer = Peer & { live: Live };

/** Members that go on by themselves, with a copy of what they have been told. */
type Parting = {
  readonly from: UpdateGroup;
  readonly to: UpdateGroup;
  readonly peers: ReadonlyMap<Reader, LivePeer>;
  /** Rows from `start` to before `end` are to be copied; undefined: it is not this one's turn yet. */
  rows: { start: number; readonly end: number } | undefined;
};

export class UpdateGroups {
  readonly #rib: LocRib;
  readonly #peers: ReadonlyMap<string, Peer>;
  readonly #groups = new Set<UpdateGroup>();
  /** One after another. */
  readonly #partings = new Set<Parting>();
  /** Whose policies have changed since, which counts once all of these have parted. */
  #changed: { readonly peers: ReadonlySet<Peer>; readonly policy: ExportPolicy } | undefined;
  /** Tables without readers, being taken apart. */
  readonly #retired = new Set<AdjRibOut>();

  constructor(rib: LocRib, peers: ReadonlyMap<string, Peer>) {
    this.#rib = rib;
    this.#peers = peers;
  }

  get size(): number {
    return this.#groups.size;
  }

  /** Whether tables are being copied: until part() has done so update() must not be called, and nobody may read. */
  get isParting(): boolean {
    return this.#partings.size > 0;
  }

  /** Goes on copying what members have been told that part with others: up to `limit` rows. */
  part(limit: number): void {
    let left = limit;
    // Those that begin meanwhile are visited, too.
    for (const parting of this.#partings) {
      if (left === 0) return;
      left -= this.#copy(parting, left);
      if (!this.isParting) this.#regroup();
    }
  }

  /** @returns how many rows it has copied */
  #copy(parting: Parting, limit: number): number {
    const { from, to } = parting;
    if (parting.rows === undefined) {
      to.out = from.out.beginFork();
      parting.rows = { start: 0, end: from.out.forkEnd };
    }
    const { start, end } = parting.rows;
    const next = Math.min(end, start + limit);
    from.out.copyTo(to.out, start, next);
    parting.rows.start = next;
    if (next === end) {
      this.#partings.delete(parting);
      this.#endParting(parting);
    }
    return next - start;
  }

  #endParting({ from, to, peers }: Parting): void {
    from.out.moveTo(to.out, peers.keys());
    this.#add(to);
    for (const [reader, peer] of peers) {
      if (peer.advertised.reader === reader && peer.advertised.group === from) {
        peer.advertised = new Advertised(this.#rib, reader, to);
      }
    }
    for (const group of [from, to]) this.#retireIfEmpty(group);
  }

  /**
   * Takes changed prefixes in, and goes on with longer work; whether there is more of it.
   * @param isStarting other aggregates are being made: whoever is to hear of them loses nothing before
   */
  update(changed: readonly number[], slice: number, isStarting = false): boolean {
    let isMore = false;
    for (const group of this.#groups) {
      const isHeld = isStarting && group.hearsAggregates;
      group.updateAll(changed, isHeld);
      if (!isHeld && !group.isFilled) group.fill(slice);
      const isReclaiming = group.out.reclaim(slice);
      isMore ||= !group.isFilled || isReclaiming;
    }
    for (const out of this.#retired) if (!out.drain(slice)) this.#retired.delete(out);
    return isMore || this.#retired.size > 0;
  }

  join(peer: Peer, live: Live, policy: ExportPolicy): void {
    const key = groupKeyOf(peer, live, policy);
    let group = [...this.#groups].find((each) => each.key === key);
    if (group === undefined) {
      group = new UpdateGroup(this.#rib, key, peer, live, policy);
      this.#add(group);
    }
    const reader = new Reader(peer.received.source);
    group.out.join(reader);
    peer.advertised = new Advertised(this.#rib, reader, group);
  }

  leave(peer: Peer): void {
    const { group, reader } = peer.advertised;
    if (group === undefined) return;
    group.out.leave(reader);
    peer.advertised = new Advertised(this.#rib, reader, undefined);
    this.#retireIfEmpty(group);
  }

  #retireIfEmpty(group: UpdateGroup): void {
    if (group.out.readerCount > 0 || !this.#groups.delete(group)) return;
    group.close();
    this.#retired.add(group.out);
    this.#rib.tellsAll = [...this.#groups].some(({ hasAddPath }) => hasAddPath);
  }

  /** The policies of these peers have changed; while others part it counts once they have. */
  regroup(peers: readonly Peer[], policy: ExportPolicy): void {
    if (peers.length === 0) return;
    this.#changed = { peers: new Set([...(this.#changed?.peers ?? []), ...peers]), policy };
    if (!this.isParting) this.#regroup();
  }

  #regroup(): void {
    if (this.#changed === undefined) return;
    const { peers: meant, policy } = this.#changed;
    this.#changed = undefined;
    for (const group of Array.from(this.#groups)) {
      const members = [...this.#peers.values()].filter(
        (peer): peer is LivePeer => peer.advertised.group === group && peer.live !== undefined,
      );
      const byKey = Map.groupBy(members, (peer) =>
        meant.has(peer) ? groupKeyOf(peer, peer.live, policy) : group.key,
      );
      // Those who are told as before keep the group; if there are none, the first of the others do.
      const heir = byKey.has(group.key) ? group.key : [...byKey.keys()][0];
      for (const [key, [first, ...more]] of byKey) {
        if (first === undefined) continue;
        if (key !== heir) this.#fork(group, key, [first, ...more], policy);
        else if ([first, ...more].some((peer) => meant.has(peer))) {
          group.refill(key, first, policy);
        }
      }
    }
  }

  #fork(
    from: UpdateGroup,
    key: string,
    [first, ...more]: readonly [LivePeer, ...LivePeer[]],
    policy: ExportPolicy,
  ): void {
    const to = new UpdateGroup(this.#rib, key, first, first.live, policy);
    const peers = new Map([first, ...more].map((peer) => [peer.advertised.reader, peer]));
    this.#partings.add({ from, to, peers, rows: undefined });
  }

  #add(group: UpdateGroup): void {
    this.#groups.add(group);
    if (group.hasAddPath) this.#rib.tellsAll = true;
  }
}
