// Peers that are not known by their address: who connects from inside a range becomes one, and ceases to
// be one when it stays away.
import { CeaseSubcode } from '@calico/bgp-wire';
import { type Address, formatAddress, isLinkLocal, type Prefix, prefixContains } from '@calico/ip';
import type { PeerConfig, SpeakerConfig } from './config.ts';

export type PeerRange = {
  readonly prefix: Prefix;
  /** At the same time, at most. */
  readonly limit: number;
  /** Of each; the addresses in it are not used. */
  readonly template: PeerConfig;
};

/** Who may come, and who is waited for: they are not let in by a range that is less explicit. */
export type Doors = Pick<SpeakerConfig, 'ranges' | 'awaited'>;

/** How long a guest may stay away without routes that are kept for it. */
export const GUEST_PATIENCE_MS = 60_000;

export class Guests {
  readonly #addresses = new Map<string, Address>();

  /**
   * Configuration of a new guest; undefined: no range lets it in, or its range is full. Link-local addresses
   * are those of one link, which no range names.
   */
  admit(address: Address, doors: Doors): PeerConfig | undefined {
    if (isLinkLocal(address)) return undefined;
    const range = rangeOf(address, doors);
    if (range === undefined) return undefined;
    const others = [...this.#addresses.values()].filter((each) => rangeOf(each, doors) === range);
    if (others.length >= range.limit) return undefined;
    this.#addresses.set(formatAddress(address), address);
    return configOf(address, range);
  }

  has(key: string): boolean {
    return this.#addresses.has(key);
  }

  dismiss(key: string): void {
    this.#addresses.delete(key);
  }

  /**
   * The peers that are wanted now: those of the configuration, and guests that a range still lets in.
   * Others are guests no longer.
   */
  join(peers: ReadonlyMap<string, PeerConfig>, doors: Doors): ReadonlyMap<string, PeerConfig> {
    const all = new Map(peers);
    for (const [key, address] of this.#addresses) {
      const range = rangeOf(address, doors);
      if (range === undefined || all.has(key)) this.#addresses.delete(key);
      else all.set(key, configOf(address, range));
    }
    return all;
  }
}

/**
 * Subcode of the Cease for who is no peer and is not let in by a range (RFC 4486 section 4); undefined: nothing
 * is said, as it will be a peer soon.
 */
export function refusalOf(
  {
    address,
    interfaceName,
  }: { readonly address: Address; readonly interfaceName?: string | undefined },
  doors: Doors,
): number | undefined {
  const isFull = !isLinkLocal(address) && rangeOf(address, doors) !== undefined;
  if (isFull) return CeaseSubcode.OutOfResources;
  const isAwaited = (doors.awaited ?? []).some(({ prefix, interface: name }) => {
    const isThere = interfaceName === undefined || name === undefined || name === interfaceName;
    return (
      isThere && (prefix === undefined ? isLinkLocal(address) : prefixContains(prefix, address))
    );
  });
  return isAwaited ? undefined : CeaseSubcode.ConnectionRejected;
}

/** The narrowest range is the most explicit one. */
function rangeOf(address: Address, { ranges = [], awaited = [] }: Doors): PeerRange | undefined {
  let found: PeerRange | undefined;
  for (const range of ranges) {
    const isNarrower = found === undefined || range.prefix.length > found.prefix.length;
    if (isNarrower && prefixContains(range.prefix, address)) found = range;
  }
  const length = found?.prefix.length ?? 0;
  const isAwaited = awaited.some(
    ({ prefix }) =>
      prefix !== undefined && prefix.length >= length && prefixContains(prefix, address),
  );
  return isAwaited ? undefined : found;
}

function configOf(address: Address, { template }: PeerRange): PeerConfig {
  const policy = { ...template.policy, address };
  return { ...template, key: formatAddress(address), address, policy };
}
