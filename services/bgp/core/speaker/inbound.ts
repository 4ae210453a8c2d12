// From a peer's UPDATE to paths in the tables: RFC 4271 section 9, errors RFC 7606.
import { isTreatedAsWithdraw, type Nlri, type PathAttributes, type Update } from '@calico/bgp-wire';
import type { Address, Family } from '@calico/ip';
import type { ImportPolicy } from '../policy/import_policy.ts';
import { pathOf } from '../rib/adj_rib_in.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import type { PathData } from '../rib/path.ts';
import type { Live, Peer } from './peer.ts';

/** Takes the routes of one message in. Families that were not agreed on are ignored. */
export function applyUpdate(
  peer: Peer,
  live: Live,
  update: Update,
  policy: ImportPolicy,
  rib: LocRib,
): void {
  const inbound = new Inbound(peer, live, policy, rib);
  const { withdrawn, announced, attributes, reach, unreach } = update;
  inbound.withdraw(4, withdrawn);
  if (unreach?.family !== undefined) inbound.withdraw(unreach.family, unreach.nlri);
  const isWithdrawn = isTreatedAsWithdraw(update);
  const { nextHop, ...shared } = attributes;
  if (announced.length > 0) {
    inbound.announce(4, announced, isWithdrawn ? undefined : nextHop, shared);
  }
  if (reach?.family !== undefined) {
    // Between link-local addresses the global one may be missing or out of reach (RFC 2545 section 3).
    const isOnLink = peer.config.interface !== undefined;
    const told = isOnLink ? (reach.linkLocalNextHop ?? reach.nextHop) : reach.nextHop;
    inbound.announce(reach.family, reach.nlri, isWithdrawn ? undefined : told, shared);
  }
}

class Inbound {
  readonly #peer: Peer;
  readonly #live: Live;
  readonly #policy: ImportPolicy;
  readonly #rib: LocRib;

  constructor(peer: Peer, live: Live, policy: ImportPolicy, rib: LocRib) {
    this.#peer = peer;
    this.#live = live;
    this.#policy = policy;
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
    const { policy, received } = this.#peer;
    const { source } = this.#live;
    for (const { prefix } of nlri) {
      const outcome = this.#policy.import(prefix, data, policy);
      if (outcome.kind === 'accepted') {
        const path = pathOf(prefix, data, outcome.data, source);
        received.set(path);
        this.#rib.put(path);
      } else if (received.refuse({ prefix, data, source, reason: outcome.reason })) {
        this.#rib.remove(prefix, source);
      }
    }
  }
}
