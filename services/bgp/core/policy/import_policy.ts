// Which announcements of a peer are taken in.
import { asPathContains } from '@calico/bgp-wire';
import { sameAddress } from '@calico/ip';
import type { PathData } from '../rib/path.ts';
import type { LocalPolicy, PeerPolicy } from './types.ts';

/** Why the routes are not taken in; undefined when they are. */
export function importRefusal(
  { attributes, nextHop }: PathData,
  peer: PeerPolicy,
  local: LocalPolicy,
): string | undefined {
  const own = asPathContains(attributes.asPath ?? [], local.asn);
  if (own > peer.allowedOwnAs) return `AS path holds our own AS number ${own} times`;
  if (peer.isInternal) {
    // RFC 4456 section 8: the two marks of a loop among reflectors.
    if (attributes.originatorId === local.routerId) return 'originated by this speaker';
    const { clusterId } = local;
    if (clusterId !== undefined && attributes.clusterList?.includes(clusterId)) {
      return 'reflected by this cluster before';
    }
  }
  const address = local.address[nextHop.family];
  if (address !== undefined && sameAddress(address, nextHop)) return 'next hop is this node';
  if (nextHop.value === 0n) return 'next hop is no address';
  return undefined;
}
