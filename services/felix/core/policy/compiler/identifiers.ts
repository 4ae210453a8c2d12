// Names of chains and sets: the same for the same content on every node and after every restart.
import { sha224 } from '@calico/selector';

/** nft takes 255; what a person reads should be shorter. */
const MAX_NAME = 128;
const ID_BYTES = 10;
const encoder = new TextEncoder();

/** The same texts come with every change, and hashing is the dearest part of naming. */
const known = new Map<string, string>();
const MOST_KNOWN = 50_000;

/** 20 hexadecimal digits that stand for a text of any length. */
export function contentId(text: string): string {
  const before = known.get(text);
  if (before !== undefined) return before;
  if (known.size >= MOST_KNOWN) known.clear();
  const id = hash(text);
  known.set(text, id);
  return id;
}

function hash(text: string): string {
  const digest = sha224(encoder.encode(text)).subarray(0, ID_BYTES);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** 15 characters, as many as a class may have: 75 bits of the same. */
export function shortId(text: string): string {
  return BigInt(`0x${contentId(text)}`)
    .toString(32)
    .padStart(16, '0')
    .slice(0, 15);
}

/** A name that shows its origin; what is too long or holds other characters is told apart by an id. */
export function readableName(kind: string, ...parts: readonly string[]): string {
  const text = [kind, ...parts].join('/');
  const clean = text.replaceAll(/[^A-Za-z0-9_./-]/gu, '_');
  if (clean === text && text.length <= MAX_NAME) return text;
  return `${clean.slice(0, MAX_NAME - 2 * ID_BYTES - 1)}_${contentId(text)}`;
}
