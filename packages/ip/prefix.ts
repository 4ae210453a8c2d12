// Prefixes (CIDR blocks, RFC 4632). A Prefix value always has zero host bits.
import {
  type Address,
  addressBits,
  compareAddresses,
  type Family,
  formatAddress,
  parseAddress,
} from './address.ts';
import { IpError } from './ip_error.ts';

/** `length` is 0..32 or 0..128; the bits of `value` behind it are zero. */
export type Prefix = { readonly family: Family; readonly value: bigint; readonly length: number };

export type PrefixOptions = {
  /** What to do with bits behind the prefix length: 'refuse' (default) or 'clear'. */
  readonly hostBits?: 'refuse' | 'clear';
};

/**
 * Reads "10.244.0.0/16" or "fd00::/64". Without a length it is the prefix of one address.
 * @throws IpError
 */
export function parsePrefix(text: string, options: PrefixOptions = {}): Prefix {
  const { address, length } = splitPrefix(text);
  const prefix = prefixOf(address, length);
  if (prefix.value !== address.value && options.hostBits !== 'clear') {
    throw new IpError(
      `Cannot parse prefix "${text}": bits behind the length are set, expected "${formatPrefix(prefix)}"`,
    );
  }
  return prefix;
}

/**
 * Reads the address of an interface with the prefix of its network: "192.168.80.100/24".
 * Without a length the prefix is the address alone.
 * @throws IpError
 */
export function parseInterfaceAddress(text: string): { address: Address; prefix: Prefix } {
  const { address, length } = splitPrefix(text);
  return { address, prefix: prefixOf(address, length) };
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix)}/${prefix.length}`;
}

/** The prefix of this length that holds the address. @throws IpError when the length does not fit */
export function prefixOf(address: Address, length: number): Prefix {
  const bits = addressBits(address.family);
  if (!Number.isInteger(length) || length < 0 || length > bits) {
    throw new IpError(
      `Cannot use prefix length ${length} with "${formatAddress(address)}": expected 0 to ${bits}`,
    );
  }
  const host = BigInt(bits - length);
  return { family: address.family, value: (address.value >> host) << host, length };
}

/** The prefix of one address: /32 or /128. */
export function hostPrefix(address: Address): Prefix {
  return { family: address.family, value: address.value, length: addressBits(address.family) };
}

/** Whether every address of the second is in the first. */
export function prefixContains(prefix: Prefix, inner: Address | Prefix): boolean {
  if (prefix.family !== inner.family) return false;
  if ('length' in inner && inner.length < prefix.length) return false;
  const host = hostBits(prefix);
  return inner.value >> host === prefix.value >> host;
}

export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? prefixContains(a, b) : prefixContains(b, a);
}

export function firstAddress(prefix: Prefix): Address {
  return { family: prefix.family, value: prefix.value };
}

export function lastAddress(prefix: Prefix): Address {
  return { family: prefix.family, value: prefix.value + prefixSize(prefix) - 1n };
}

/** Number of addresses: 1 to 2^32 or 2^128. */
export function prefixSize(prefix: Prefix): bigint {
  return 1n << hostBits(prefix);
}

/** The address at this distance from the first. @throws IpError outside the prefix */
export function addressAt(prefix: Prefix, ordinal: bigint | number): Address {
  const offset = BigInt(ordinal);
  if (offset < 0n || offset >= prefixSize(prefix)) {
    throw new IpError(
      `Cannot take address ${ordinal} of "${formatPrefix(prefix)}": expected 0 to ${prefixSize(prefix) - 1n}`,
    );
  }
  return { family: prefix.family, value: prefix.value + offset };
}

/** Distance of the address from the first. @throws IpError outside the prefix or above 2^53-1 */
export function ordinalOf(prefix: Prefix, address: Address): number {
  const offset = address.value - prefix.value;
  if (!prefixContains(prefix, address) || offset > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new IpError(
      `Cannot number "${formatAddress(address)}" in "${formatPrefix(prefix)}": not within its first 2^53 addresses`,
    );
  }
  return Number(offset);
}

/** The prefixes of the given length inside a prefix, in order. @throws IpError when it is shorter */
export function* subnets(prefix: Prefix, length: number): Generator<Prefix, void, undefined> {
  const bits = addressBits(prefix.family);
  if (!Number.isInteger(length) || length < prefix.length || length > bits) {
    throw new IpError(
      `Cannot split "${formatPrefix(prefix)}" into /${length}: expected ${prefix.length} to ${bits}`,
    );
  }
  const step = 1n << BigInt(bits - length);
  const end = prefix.value + prefixSize(prefix);
  for (let value = prefix.value; value < end; value += step) {
    yield { family: prefix.family, value, length };
  }
}

/** Orders by family, first address, then the wider first. */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  return compareAddresses(a, b) || a.length - b.length;
}

export function samePrefix(a: Prefix, b: Prefix): boolean {
  return a.family === b.family && a.value === b.value && a.length === b.length;
}

function hostBits(prefix: Prefix): bigint {
  return BigInt(addressBits(prefix.family) - prefix.length);
}

function splitPrefix(text: string): { address: Address; length: number } {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  const bits = addressBits(address.family);
  if (slash < 0) return { address, length: bits };
  const lengthText = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(lengthText) || Number(lengthText) > bits) {
    throw new IpError(
      `Cannot parse prefix "${text}": "${lengthText}" is not a length from 0 to ${bits}`,
    );
  }
  return { address, length: Number(lengthText) };
}
