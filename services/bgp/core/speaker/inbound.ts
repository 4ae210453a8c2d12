// From a peer's UPDATE to paths in the tables: RFC 4271 section 9, errors RFC 7606.
import { isTreatedAsWithdraw, type Nlri, type PathAttributes, type Update } from '@calico/bgp-wire';
import type { Address, Family } from '@calico/ip';
import { importRefusal } from '../policy/import_policy.ts';
import type { LocalPolicy } from '../policy/types.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import type { PathData } from '../rib/path.ts';
import type { Live, Peer } from './peer.ts';

/** Takes the routes of one message in. Families that were not agreed on are ignored. */
export function applyUpdate(
  peer: Peer,
  live: Live,
  update: Update,
  local: LocalPolicy,
  rib: LocRib,
): void {
  const inbound = new Inbound(peer, live, local, rib);
  const { withdrawn, announced, attributes, reach, unreach } = update;
  inbound.withdraw(4, withdrawn);
  if (unreach?.family !== undefined) inbound.withdraw(unreach.family, unreach.nlri);
  const isWithdrawn = isTreatedAsWithdraw(update);
  const { nextHop, ...shared } = attributes;
  if (announced.length > 0) {
    inbound.announce(4, announced, isWithdrawn ? undefined : nextHop, shared);
  }
  if (reach?.family !== undefined) {
    inbound.announce(reach.family, reach.nlri, isWithdrawn ? undefined : reach.nextHop, shared);
  }
}

class Inbound {
  readonly #peer: Peer;
  readonly #live: Live;
  readonly #local: LocalPolicy;
  readonly #rib: LocRib;

  constructor(peer: Peer, live: Live, local: LocalPolicy, rib: LocRib) {
    this.#peer = peer;
    this.#live = live;
    this.#local = local;
    this.#rib = rib;
  }

  withdraw(family: Family, nlri: readonly Nlri[]): void {
    if (!this.#live.negotiated.families.includes(family)) return;
    for (const { prefix } of nlri) {
      if (this.#peer.received.delete(prefix)) this.#rib.remove(prefix, this.#live.source);
    }
  }

  /** @param nextHop undefined: the routes cannot be used and count as withdrawn */
  announce(
    family: Family,
    nlri: readonly Nlri[],
    nextHop: Address | undefined,
    attributes: PathAttributes,
  ): void {
    if (nextHop === undefined) return this.withdraw(family, nlri);
    if (!this.#live.negotiated.families.includes(family)) return;
    const data: PathData = { attributes, nextHop };
    if (importRefusal(data, this.#peer.config.policy, this.#local) !== undefined) {
      return this.withdraw(family, nlri);
    }
    for (const { prefix } of nlri) {
      const path = { prefix, data, source: this.#live.source };
      this.#peer.received.set(path);
      this.#rib.put(path);
    }
  }
}
