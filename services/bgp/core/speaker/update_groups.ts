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

export class UpdateGroups {
  readonly #rib: LocRib;
  readonly #peers: ReadonlyMap<string, Peer>;
  readonly #groups = new Set<UpdateGroup>();
  /** Tables without readers, being taken apart. */
  readonly #retired = new Set<AdjRibOut>();

  constructor(rib: LocRib, peers: ReadonlyMap<string, Peer>) {
    this.#rib = rib;
    this.#peers = peers;
  }

  get size(): number {
    return this.#groups.size;
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
      isMore ||= !group.isFilled;
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
    if (group.out.readerCount > 0) return;
    this.#groups.delete(group);
    group.close();
    this.#retired.add(group.out);
    this.#rib.tellsAll = [...this.#groups].some(({ hasAddPath }) => hasAddPath);
  }

  /** The policies of these peers have changed. */
  regroup(peers: readonly Peer[], policy: ExportPolicy): void {
    const meant = new Set(peers);
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
    const all = [first, ...more];
    const out = from.out.fork(all.map(({ advertised }) => advertised.reader));
    const group = new UpdateGroup(this.#rib, key, first, first.live, policy, out);
    this.#add(group);
    for (const peer of all) {
      peer.advertised = new Advertised(this.#rib, peer.advertised.reader, group);
    }
  }

  #add(group: UpdateGroup): void {
    this.#groups.add(group);
    if (group.hasAddPath) this.#rib.tellsAll = true;
  }
}
