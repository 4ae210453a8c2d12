// Texts of nets against addresses, for the reference evaluator.
import { type Address, formatAddress, parsePrefix, prefixContains } from '@calico/ip';

export function familyOf(net: string): number {
  return net.includes(':') ? 6 : 4;
}

export function covers(net: string, address: Address): boolean {
  return prefixContains(
    parsePrefix(net, { hostBits: 'clear' }),
    parsePrefix(formatAddress(address)),
  );
}
