// The CIDR of the pool that a first node creates when the operator names none.
import { type Address, formatPrefix, type Prefix, parsePrefix, prefixContains } from '@calico/ip';

const PREFERRED = parsePrefix('192.168.0.0/16');
const ALTERNATIVES = Array.from({ length: 16 }, (_, index) =>
  parsePrefix(`172.${16 + index}.0.0/16`),
);

/**
 * 192.168.0.0/16 unless an address of the host lies in it; then the first free of 172.16.0.0/16 to
 * 172.31.0.0/16; the preferred one when all are taken.
 */
export function defaultIpv4PoolCidr(hostAddresses: readonly Address[]): string {
  const isFree = (cidr: Prefix) => !hostAddresses.some((each) => prefixContains(cidr, each));
  return formatPrefix([PREFERRED, ...ALTERNATIVES].find(isFree) ?? PREFERRED);
}
