// Which broken UPDATEs may end a session: RFC 7606, read a second time and apart from the decoder.
import type { WireContext } from '@calico/bgp-wire';

const MP_REACH = 14;
const MP_UNREACH = 15;
const OPTIONAL = 0x80;
const EXTENDED_LENGTH = 0x10;
/** Type codes of the well-known attributes, and of the optional ones that this speaker acts on. */
const KNOWN = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 32, 35]);

/** Why the session may be reset; undefined when RFC 7606 says to keep it. */
export function reasonToReset(body: Uint8Array, context: WireContext): string | undefined {
  const hasPathIds = (family: 4 | 6): boolean => context.addPath.includes(family);
  if (body.length < 4) return 'shorter than its two lengths';
  const withdrawnEnd = 2 + u16(body, 0);
  if (withdrawnEnd + 2 > body.length) return 'withdrawn routes over the end';
  const attributesFrom = withdrawnEnd + 2;
  const attributesEnd = attributesFrom + u16(body, withdrawnEnd);
  if (attributesEnd > body.length) return 'attributes over the end';
  if (!arePrefixes(body.subarray(2, withdrawnEnd), 32, hasPathIds(4))) return 'withdrawn routes';
  if (!arePrefixes(body.subarray(attributesEnd), 32, hasPathIds(4))) return 'announced routes';
  return faultOfAttributes(body.subarray(attributesFrom, attributesEnd), hasPathIds);
}

/**
 * Whether there are attributes beside MP_UNREACH_NLRI but no routes: section 5.2 lets no more of their faults
 * pass than those that cost the attribute alone. Of a message whose lengths are right.
 */
export function namesNoRoutes(body: Uint8Array): boolean {
  const from = 4 + u16(body, 0);
  const end = from + u16(body, from - 2);
  return end === body.length && hasNoRoutes(body.subarray(from, end));
}

function hasNoRoutes(bytes: Uint8Array): boolean {
  let hasOthers = false;
  for (let at = 0; at < bytes.length; ) {
    const [flags = 0, type] = [bytes[at], bytes[at + 1]];
    const isLong = (flags & EXTENDED_LENGTH) !== 0;
    const from = at + (isLong ? 4 : 3);
    const end = from + (isLong ? u16(bytes, at + 2) : (bytes[at + 2] ?? 0));
    // A list that cannot be read to its end is one of others.
    if (end > bytes.length) return true;
    if (type === MP_REACH) {
      const hasPrefixes = end > from + 5 + (bytes[from + 3] ?? 0);
      // Nobody here can tell whether another family's are any.
      if (hasPrefixes || familyOf(bytes.subarray(from, end)) === undefined) return false;
    }
    if (type !== MP_UNREACH) hasOthers = true;
    at = end;
  }
  return hasOthers;
}

function faultOfAttributes(
  bytes: Uint8Array,
  hasPathIds: (family: 4 | 6) => boolean,
): string | undefined {
  const seen = new Set<number>();
  let at = 0;
  while (at + 3 <= bytes.length) {
    const [flags, type] = [bytes[at] as number, bytes[at + 1] as number];
    const isLong = (flags & EXTENDED_LENGTH) !== 0;
    const from = at + (isLong ? 4 : 3);
    if (from > bytes.length) return undefined;
    const end = from + (isLong ? u16(bytes, at + 2) : (bytes[at + 2] as number));
    // Section 4: what overruns costs the routes.
    if (end > bytes.length) return undefined;
    const isFirst = !seen.has(type);
    seen.add(type);
    at = end;
    if (type === MP_REACH || type === MP_UNREACH) {
      if (!isFirst) return 'an MP attribute twice';
      if (!isMpAttribute(bytes.subarray(from, end), type, hasPathIds)) return 'an MP attribute';
    } else if (isFirst && !KNOWN.has(type) && (flags & OPTIONAL) === 0) {
      return 'an unknown well-known attribute';
    }
  }
  return undefined;
}

/** Whether all of it can be read, so that its routes can be withdrawn. */
function isMpAttribute(
  value: Uint8Array,
  type: number,
  hasPathIds: (family: 4 | 6) => boolean,
): boolean {
  if (value.length < 3) return false;
  const family = familyOf(value);
  let at = 3;
  if (type === MP_REACH) {
    const length = value[3];
    if (length === undefined || 5 + length > value.length) return false;
    const lengths = family === 4 ? [4, 16, 32] : [16, 32];
    if (family !== undefined && !lengths.includes(length)) return false;
    at = 5 + length;
  }
  if (family === undefined) return true;
  return arePrefixes(value.subarray(at), family === 4 ? 32 : 128, hasPathIds(family));
}

function familyOf(value: Uint8Array): 4 | 6 | undefined {
  const afi = u16(value, 0);
  return value[2] !== 1 ? undefined : afi === 1 ? 4 : afi === 2 ? 6 : undefined;
}

function arePrefixes(bytes: Uint8Array, bits: number, hasPathIds: boolean): boolean {
  let at = 0;
  while (at < bytes.length) {
    const length = bytes[at + (hasPathIds ? 4 : 0)];
    if (length === undefined || length > bits) return false;
    at += (hasPathIds ? 5 : 1) + Math.ceil(length / 8);
  }
  return at === bytes.length;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}
