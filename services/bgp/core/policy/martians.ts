// Prefixes that no router may forward to, whoever announces them: RFC 4271 section 6.3 has them ignored.
import type { PrefixTable } from '../rib/prefix_table.ts';

export const MARTIAN = 'nobody can be reached there (a martian prefix, RFC 1812 section 5.3.7)';

/**
 * Whether a prefix lies in "this network", loopback, multicast or link-local, or is the limited broadcast or
 * unspecified address. The default routes do not, nor does 240.0.0.0/4, which Linux forwards.
 */
export function isMartian(prefixes: PrefixTable, id: number): boolean {
  const length = prefixes.lengthOf(id);
  const word = prefixes.wordOf(id, 0);
  const octet = word >>> 24;
  if (prefixes.familyOf(id) === 4) {
    if (octet === 0) return length >= 8;
    if (octet === 127 || word === 0xffff_ffff) return true;
    return octet >= 224 && octet < 240 && length >= 4;
  }
  if (octet === 0xff) return length >= 8;
  if (octet === 0xfe) return length >= 10 && (word & 0x00c0_0000) === 0x0080_0000;
  if (word !== 0 || length < 128) return false;
  return (
    prefixes.wordOf(id, 1) === 0 && prefixes.wordOf(id, 2) === 0 && prefixes.wordOf(id, 3) <= 1
  );
}
