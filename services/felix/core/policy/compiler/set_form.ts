// In which parts an address set is looked up. The kernel goes through all ranges of a set whenever one changes, but a hash
// costs the same to change at any size. So nets that come in numbers are hashes of blocks of one length, asked with the
// address under a mask; what is left over are ranges:
//
//   100,000 x /32, 5,000 x /22, 3 x /8   ─▶   ip saddr @…, ip saddr & 255.255.255.0 @…, ip saddr @ranges
//
// Whatever part has the address, the set has it. A part depends on the number of its own nets only: so one comes or goes at
// the price of few nets, however large the set is.
import { addressBits, type Family, type Prefix } from '@calico/ip';

/** Fewer nets than these are quickly gone through: the kernel takes a tenth of a millisecond for them. */
const FEWEST_BLOCKS = 1024;
/**
 * A net is cut into blocks of the next of these lengths. They are few, since each that a set has is a look-up, and a rule that
 * asks sets at both ends asks each part of one with each of the other: 49 rules at most. IPv6 nets are given out by four
 * bits: /32, /36, /40 and so on are blocks.
 */
const LENGTHS: Readonly<Record<Family, readonly number[]>> = {
  4: [32, 30, 27, 24, 20, 16],
  6: [128, 64, 56, 48, 40, 32],
};

/** A net that would be more than sixteen blocks is a range: they are wide, and so they are few. */
const MOST_HALVINGS = 4;

/** Blocks of one length, each a first address, in a hash; or ranges. Single addresses are blocks as well. */
export type Form = number | 'ranges';

/** The length of the blocks of which a net is made where it is made of blocks. */
export function blockLength({ family, length }: Pick<Prefix, 'family' | 'length'>): Form {
  const found = LENGTHS[family].findLast((one) => one >= length) ?? length;
  return found - length > MOST_HALVINGS ? 'ranges' : found;
}

/** How many prefixes there are, of distinct ones. */
export type SetContent = {
  /** More than one address each. */
  readonly nets: number;
  /** Of both nets and addresses, by the blocks that they can be made of. */
  readonly byBlock: ReadonlyMap<Form, number>;
};

/** `prefixes`: distinct ones of one family. */
export function contentOf(prefixes: readonly Prefix[]): {
  readonly content: SetContent;
  readonly byBlock: ReadonlyMap<Form, readonly Prefix[]>;
} {
  const byBlock = Map.groupBy(prefixes, blockLength);
  const nets = prefixes.filter(({ family, length }) => length < addressBits(family)).length;
  const sizes = new Map([...byBlock].map(([form, own]) => [form, own.length]));
  return { content: { nets, byBlock: sizes }, byBlock };
}

/** The parts, the narrowest blocks first; at least one. */
export function formsOf(
  family: Family,
  { nets, byBlock }: SetContent,
  fewestBlocks = FEWEST_BLOCKS,
): readonly Form[] {
  if (nets === 0) return [addressBits(family)];
  const forms: Form[] = LENGTHS[family].filter(
    (length) => (byBlock.get(length) ?? 0) >= fewestBlocks,
  );
  const rest = [...byBlock].some(([form, count]) => count > 0 && !forms.includes(form));
  return rest ? [...forms, 'ranges'] : forms;
}

/** What a look-up counts with: it changes seldom while addresses come and go, for then the look-up is made anew. */
const ROOMS = [8, 64, 1024];

/** How many elements to expect in a look-up; undefined: too many, or nets. */
export function roomFor({ nets, byBlock }: SetContent): number | undefined {
  if (nets > 0) return undefined;
  const [count = 0] = byBlock.values();
  return ROOMS.find((room) => count <= room);
}
