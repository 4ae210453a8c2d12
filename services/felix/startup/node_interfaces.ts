// What the kernel says of the node's interfaces, for the detection of its address.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type Address, type Family, parseAddress } from '@calico/ip';
import type { Netlink } from '@calico/netlink';
import type { NodeInterface } from '../core/node_address/detect_address.ts';
import type { DetectionMethod } from '../core/node_address/detection_method.ts';
import { AddressError } from './node_address.ts';

export function listInterfaces(netlink: Netlink): NodeInterface[] {
  const addresses = netlink.addresses();
  return netlink.links().map(({ index, name, up }) => ({
    name,
    up,
    addresses: addresses
      .filter(({ interfaceIndex }) => interfaceIndex === index)
      .map(({ address, prefixLength, secondary, transient }) => ({
        address,
        prefixLength,
        ...(secondary && { secondary }),
        ...(transient && { transient }),
      })),
  }));
}

/**
 * The address that packets to the method's destination would carry. Names are resolved beforehand, because
 * the detection itself is synchronous. Rejects with AddressError.
 */
export async function routeSourceFor(
  method: DetectionMethod,
  netlink: Netlink,
  family: Family,
): Promise<() => Address | undefined> {
  if (method.kind !== 'can-reach') return () => undefined;
  const destination = parseAddress(await resolve(method.destination, family));
  return () => netlink.routeTo(destination)?.source;
}

async function resolve(destination: string, family: Family): Promise<string> {
  if (isIP(destination) !== 0) return destination;
  try {
    return (await lookup(destination, { family })).address;
  } catch (cause) {
    const state = cause instanceof Error ? cause.message : String(cause);
    throw new AddressError(
      `Cannot resolve "${destination}" of can-reach to an IPv${family} address: ${state}`,
      { cause },
    );
  }
}
