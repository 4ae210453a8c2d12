// Whether an address set is a hash of addresses or a tree of ranges. A hash costs the same to change at any size, while
// the kernel goes through all ranges whenever one changes; but a net in a hash is every address in it.
import { type Prefix, prefixSize } from '@calico/ip';
import { isNet } from './set_builder.ts';

/** A set with fewer single addresses and a net among them is made of ranges: they are quickly gone through. */
const MANY_ADDRESSES = 1_000;

/** What decides the form; of distinct prefixes. */
export type SetContent = { readonly addresses: number; readonly inNets: bigint };

export function contentOf(prefixes: readonly Prefix[]): SetContent {
  let [addresses, inNets] = [0, 0n];
  for (const prefix of prefixes) {
    if (isNet(prefix)) inNets += prefixSize(prefix);
    else addresses++;
  }
  return { addresses, inNets };
}

/** With nets that hold more addresses than stand there alone, a hash would become larger than what it is made of. */
export function takesRanges({ addresses, inNets }: SetContent): boolean {
  return inNets > 0n && (addresses < MANY_ADDRESSES || inNets > BigInt(addresses));
}

/** What a look-up counts with: it changes seldom while addresses come and go, for then the look-up is made anew. */
const ROOMS = [8, 64, 1024];

/** How many elements to expect in a look-up; undefined: too many, or ranges. */
export function roomFor(content: SetContent): number | undefined {
  if (takesRanges(content)) return undefined;
  const count = content.addresses + Number(content.inNets);
  return ROOMS.find((room) => count <= room);
}
