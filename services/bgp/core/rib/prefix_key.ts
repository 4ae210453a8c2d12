import type { Prefix } from '@calico/ip';

/** Map key of a prefix: a number for IPv4, as hashing texts of a large table is slow. */
export type PrefixKey = number | string;

export function prefixKey({ family, value, length }: Prefix): PrefixKey {
  return family === 4 ? Number(value) * 64 + length : `${value.toString(36)}/${length}`;
}
