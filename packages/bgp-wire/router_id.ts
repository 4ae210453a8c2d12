import { formatAddress, parseAddress } from '@calico/ip';

/** A BGP identifier as dotted decimal. */
export function formatRouterId(routerId: number): string {
  return formatAddress({ family: 4, value: BigInt(routerId) });
}

/** @throws IpError for anything but an IPv4 address */
export function parseRouterId(text: string): number {
  const { family, value } = parseAddress(text);
  if (family !== 4) throw new RangeError(`Cannot use "${text}" as router id: it is not IPv4`);
  return Number(value);
}
