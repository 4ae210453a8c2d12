import { formatPrefix, type Prefix, prefixContains } from '@calico/ip';
import type { LocRib } from '../rib/loc_rib.ts';
import type { SpeakerConfig } from './config.ts';

/**
 * Why a client had better not announce the prefix from here: in a pool, what a peer tells are addresses on another
 * node, and routers would bring their packets to this one. Undefined: nothing speaks against it.
 */
export function describeToldInPool(
  prefix: Prefix,
  rib: LocRib,
  pools: SpeakerConfig['local']['pools'],
): string | undefined {
  const pool = pools.findLast((each) => prefixContains(each.prefix, prefix));
  const id = pool === undefined ? -1 : rib.prefixes.find(prefix);
  if (pool === undefined || id < 0) return undefined;
  for (let row = rib.paths.firstOf(id); row >= 0; row = rib.paths.nextOf(row)) {
    const source = rib.sourceOf(row);
    if (source.kind !== 'peer') continue;
    return `peer "${source.peer}" tells it, and it is in IP pool "${formatPrefix(pool.prefix)}"`;
  }
  return undefined;
}
