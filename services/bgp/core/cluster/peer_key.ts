import { type Address, formatAddress } from '@calico/ip';

export const BGP_PORT = 179;

/**
 * What a peer is called: its address, with the port where it is another one than 179.
 * @param onLink interface of a link-local address
 */
export function peerKey(address: Address, port: number, onLink?: string): string {
  const text =
    onLink === undefined ? formatAddress(address) : `${formatAddress(address)}%${onLink}`;
  if (port === BGP_PORT) return text;
  return address.family === 4 ? `${text}:${port}` : `[${text}]:${port}`;
}
