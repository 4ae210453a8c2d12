// Values as the kernel compares them, and intervals as their first and last value.
import { addressBytes, parseAddress, parsePrefix } from '@calico/ip';
import type { KeyType } from './ruleset.ts';

const IFNAMSIZ = 16;
const encoder = new TextEncoder();

/** First and last value, both inclusive; the same for a single value. */
export type Interval = { readonly first: Uint8Array; readonly last: Uint8Array };

export function keyLength(type: KeyType): number {
  return { ipv4_addr: 4, ipv6_addr: 16, inet_proto: 1, inet_service: 2, ifname: IFNAMSIZ, mark: 4 }[
    type
  ];
}

export function padded(length: number): number {
  return (length + 3) & ~3;
}

/** A single value. In a concatenation every part takes a multiple of four bytes. Throws RangeError, IpError. */
export function keyBytes(key: readonly KeyType[], element: string): Uint8Array {
  return joined(
    partsOf(key, element).map((part, index) => valueBytes(key[index] as KeyType, part)),
  );
}

/** A value, prefix or range; part by part in a concatenation. Throws RangeError, IpError. */
export function keyInterval(key: readonly KeyType[], element: string): Interval {
  const parts = partsOf(key, element).map((part, index) =>
    valueInterval(key[index] as KeyType, part),
  );
  return {
    first: joined(parts.map(({ first }) => first)),
    last: joined(parts.map(({ last }) => last)),
  };
}

function partsOf(key: readonly KeyType[], element: string): readonly string[] {
  const parts = key.length === 1 ? [element] : element.split(' . ');
  if (parts.length === key.length) return parts;
  throw new RangeError(`Cannot encode element "${element}": the key has ${key.length} parts`);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + padded(length), 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += padded(part.length);
  }
  return bytes;
}

export function valueInterval(type: KeyType, text: string): Interval {
  const isAddress = type === 'ipv4_addr' || type === 'ipv6_addr';
  if (isAddress && text.includes('/')) return prefixInterval(text);
  const dash = type === 'ifname' ? -1 : text.indexOf('-');
  if (dash < 0) {
    const value = valueBytes(type, text);
    return { first: value, last: value };
  }
  return {
    first: valueBytes(type, text.slice(0, dash)),
    last: valueBytes(type, text.slice(dash + 1)),
  };
}

function prefixInterval(text: string): Interval {
  const prefix = parsePrefix(text);
  const first = addressBytes(prefix);
  const last = first.map((byte, index) => byte | (0xff >> bitsOf(prefix.length, index)));
  return { first, last };
}

/** How many of the first `length` bits are in this byte. */
export function bitsOf(length: number, index: number): number {
  return Math.min(8, Math.max(0, length - 8 * index));
}

export function valueBytes(type: KeyType, text: string): Uint8Array {
  switch (type) {
    case 'ipv4_addr':
    case 'ipv6_addr':
      return addressBytes(parseAddress(text));
    case 'ifname': {
      const bytes = new Uint8Array(IFNAMSIZ);
      bytes.set(encoder.encode(text).subarray(0, IFNAMSIZ - 1));
      return bytes;
    }
    case 'inet_proto':
      return Uint8Array.of(numberOf(text, 0xff));
    case 'inet_service': {
      const port = numberOf(text, 0xffff);
      return Uint8Array.of(port >> 8, port & 0xff);
    }
    case 'mark':
      return hostOrder(numberOf(text, 0xffffffff));
    default:
      return type satisfies never;
  }
}

/** 32 bits in the order of this machine, which is little-endian wherever this runs. */
export function hostOrder(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** The value after this one; undefined after the last one. */
export function successor(value: Uint8Array): Uint8Array | undefined {
  const next = value.slice();
  for (let at = next.length - 1; at >= 0; at--) {
    const byte = (next[at] ?? 0) + 1;
    next[at] = byte;
    if (byte <= 0xff) return next;
  }
  return undefined;
}

export function numberOf(text: string, largest: number): number {
  const number = Number(text);
  if (text !== '' && Number.isInteger(number) && number >= 0 && number <= largest) return number;
  throw new RangeError(`Cannot encode "${text}": 0 to ${largest} is accepted`);
}
