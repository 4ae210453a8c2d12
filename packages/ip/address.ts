// Addresses as numbers: one shape for both families, so that arithmetic is written once.
import { IpError } from './ip_error.ts';

export type Family = 4 | 6;
export const FAMILIES: readonly Family[] = [4, 6];

/** `value` is the address as an unsigned integer in network order: 0..2^32-1 or 0..2^128-1. */
export type Address = { readonly family: Family; readonly value: bigint };

/** Number of bits of an address: 32 or 128. */
export function addressBits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/**
 * Reads "10.0.0.1" or "fd00::1" (RFC 4291 section 2.2, also with an IPv4 tail).
 * @throws IpError for anything else, also leading zeros and zones
 */
export function parseAddress(text: string): Address {
  return text.includes(':')
    ? { family: 6, value: parseIpv6(text) }
    : { family: 4, value: parseIpv4(text, text) };
}

/** Writes dotted decimal, or the canonical text of RFC 5952. */
export function formatAddress(address: Address): string {
  return address.family === 4 ? formatIpv4(Number(address.value)) : formatIpv6(address.value);
}

/** @param bytes 4 or 16 bytes in network order; @throws IpError for another length */
export function addressFromBytes(bytes: Uint8Array): Address {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new IpError(`Cannot read address from ${bytes.length} bytes: expected 4 or 16`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return bytes.length === 4
    ? { family: 4, value: BigInt(view.getUint32(0)) }
    : { family: 6, value: (view.getBigUint64(0) << 64n) | view.getBigUint64(8) };
}

/** 4 or 16 bytes in network order. */
export function addressBytes(address: Address): Uint8Array {
  const bytes = new Uint8Array(address.family === 4 ? 4 : 16);
  const view = new DataView(bytes.buffer);
  if (address.family === 4) {
    view.setUint32(0, Number(address.value));
  } else {
    view.setBigUint64(0, address.value >> 64n);
    view.setBigUint64(8, address.value & 0xffff_ffff_ffff_ffffn);
  }
  return bytes;
}

/** fe80::/10: has a meaning on one link only (RFC 4291 section 2.5.6). */
export function isLinkLocal({ family, value }: Address): boolean {
  return family === 6 && value >> 118n === 0x3fan;
}

/** Orders IPv4 before IPv6, then by value. */
export function compareAddresses(a: Address, b: Address): number {
  if (a.family !== b.family) return a.family - b.family;
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.family === b.family && a.value === b.value;
}

function parseIpv4(text: string, whole: string): bigint {
  const parts = text.split('.');
  if (parts.length !== 4) {
    throw new IpError(`Cannot parse address "${whole}": expected four numbers, as in "10.0.0.1"`);
  }
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) {
      throw new IpError(
        `Cannot parse address "${whole}": "${part}" is not a number from 0 to 255 without leading zeros`,
      );
    }
    value = value * 256 + Number(part);
  }
  return BigInt(value);
}

function parseIpv6(text: string): bigint {
  const halves = text.split('::');
  if (halves.length > 2) {
    throw new IpError(`Cannot parse address "${text}": "::" occurs more than once`);
  }
  const head = ipv6Groups(halves[0] ?? '', text, halves.length === 1);
  const tail = halves.length === 2 ? ipv6Groups(halves[1] ?? '', text, true) : [];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) {
    throw new IpError(
      `Cannot parse address "${text}": expected eight groups, as in "fd00:0:0:1::2", found ${head.length + tail.length}`,
    );
  }
  const groups = [...head, ...Array<number>(missing).fill(0), ...tail];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** @param isTail the part may end with an IPv4 address */
function ipv6Groups(part: string, whole: string, isTail: boolean): number[] {
  if (part === '') return [];
  const texts = part.split(':');
  const groups: number[] = [];
  for (const [index, text] of texts.entries()) {
    if (isTail && index === texts.length - 1 && text.includes('.')) {
      const value = Number(parseIpv4(text, whole));
      groups.push(value >>> 16, value & 0xffff);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(text)) {
      groups.push(Number.parseInt(text, 16));
    } else {
      throw new IpError(
        `Cannot parse address "${whole}": "${text}" is not a group of one to four hexadecimal digits`,
      );
    }
  }
  return groups;
}

function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

function formatIpv6(value: bigint): string {
  // RFC 5952 section 5: the one well-known prefix whose last 32 bits are an IPv4 address.
  if (value >> 32n === 0xffffn) return `::ffff:${formatIpv4(Number(value & 0xffff_ffffn))}`;
  const groups = Array.from({ length: 8 }, (_, index) =>
    Number((value >> BigInt(112 - 16 * index)) & 0xffffn),
  );
  const run = longestZeroRun(groups);
  if (run.length < 2) return joinGroups(groups);
  const tail = groups.slice(run.start + run.length);
  return `${joinGroups(groups.slice(0, run.start))}::${joinGroups(tail)}`;
}

function joinGroups(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(':');
}

/** The first of the longest runs (RFC 5952 section 4.2.3). */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [index, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: index - length + 1, length };
  }
  return best;
}
