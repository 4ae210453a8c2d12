// When each address of a block was assigned, as the block's sequence number. A changed list takes over
// the texts of the one before it: writing its bigints anew would cost as much as the rest of the block.

/** By ordinal; undefined where nothing is assigned. Never changed in place. */
export type SequenceNumbers = readonly (bigint | undefined)[];

/** By ordinal: the member of the JSON object, '' without a number. */
type Texts = readonly string[];

const texts = new WeakMap<SequenceNumbers, Texts>();

/** The numbers with this one for these ordinals. */
export function withNumber(
  numbers: SequenceNumbers,
  ordinals: readonly number[],
  number: bigint | undefined,
): SequenceNumbers {
  const changed = [...numbers];
  for (const ordinal of ordinals) changed[ordinal] = number;
  const known = texts.get(numbers);
  if (known === undefined) return changed;
  const members = [...known];
  for (const ordinal of ordinals) members[ordinal] = textOf(number, ordinal);
  texts.set(changed, members);
  return changed;
}

/** As a JSON object. */
export function formatNumbers(numbers: SequenceNumbers): string {
  const known = texts.get(numbers) ?? numbers.map(textOf);
  texts.set(numbers, known);
  const members: string[] = [];
  for (const ordinal of inTextOrder(numbers.length)) {
    const member = known[ordinal] ?? '';
    if (member !== '') members.push(member);
  }
  return `{${members.join()}}`;
}

function textOf(number: bigint | undefined, ordinal: number): string {
  return number === undefined ? '' : `"${ordinal}":${number}`;
}

const orders = new Map<number, readonly number[]>();

/** Ordinals in the order of their texts, as upstream writes them: one block, one text. */
function inTextOrder(size: number): readonly number[] {
  const known = orders.get(size);
  if (known !== undefined) return known;
  const order = Array.from({ length: size }, (_, ordinal) => String(ordinal))
    .toSorted()
    .map(Number);
  orders.set(size, order);
  return order;
}
