// AS paths with sets of numbers, which nobody shall make, tell or take in any more: RFC 9774 section 3.
import { hasSets, type PathAttributes } from '@calico/bgp-wire';
import type { LocalPolicy } from './types.ts';

const REFUSAL = 'AS path has a set of AS numbers (RFC 9774), and asSets is not "Accept"';

/** Why a route with such a path is neither taken in, which is as if it had been withdrawn, nor told. */
export function asSetRefusal(
  { asPath = [] }: PathAttributes,
  local: LocalPolicy,
): string | undefined {
  return local.takesAsSets !== true && hasSets(asPath) ? REFUSAL : undefined;
}
