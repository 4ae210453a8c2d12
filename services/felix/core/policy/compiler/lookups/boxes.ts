// Boxes of ranges that lie in each other's way, cut so that they do not: what an earlier box covers is taken out of a later
// one. The kernel takes no intervals that overlap, and the first rule that matches has to count.
import type { Range } from './shape.ts';

/** One range for each column. */
export type Box = readonly Range[];

export type OwnedBox = {
  /** Index of the product that the box is of. */
  readonly owner: number;
  readonly box: Box;
};

/**
 * `products`: for each owner and each column the ranges of which any will do: sorted, without overlaps. Answers boxes of
 * which no two overlap: a point belongs to the first owner that covers it. Undefined when they would be more than `most`.
 */
export function disjointBoxes(
  products: readonly (readonly (readonly Range[])[])[],
  most: number,
): OwnedBox[] | undefined {
  const columns = products[0]?.length ?? 0;
  const scales = Array.from({ length: columns }, (_, column) =>
    scaleOf(products.flatMap((product) => product[column] ?? [])),
  );
  const taken: Ranked[] = [];
  for (const [owner, product] of products.entries()) {
    const before = taken.length;
    for (const corners of ranked(product, scales)) {
      taken.push(...outside({ owner, ...corners }, taken, before));
      if (taken.length > most) return undefined;
    }
  }
  return taken.map(({ owner, low, high }) => ({
    owner,
    box: scales.map(({ values }, column) => ({
      first: values[low[column] ?? 0] ?? 0n,
      last: (values[high[column] ?? 0] ?? 0n) - 1n,
    })),
  }));
}

/** Where ranges begin and end: comparing places on a scale is cheaper than comparing addresses. */
type Scale = {
  readonly values: readonly bigint[];
  readonly places: ReadonlyMap<bigint, number>;
};

/** Places on the scales; `high` is the place behind the end. */
type Corners = { readonly low: readonly number[]; readonly high: readonly number[] };
type Ranked = Corners & { readonly owner: number };

function scaleOf(ranges: readonly Range[]): Scale {
  const bounds = new Set(ranges.flatMap(({ first, last }) => [first, last + 1n]));
  const values = [...bounds].toSorted((a, b) => (a < b ? -1 : Number(a > b)));
  return { values, places: new Map(values.map((value, place) => [value, place])) };
}

/** Every combination of the ranges of a product. */
function ranked(
  product: readonly (readonly Range[])[],
  scales: readonly Scale[],
): readonly Corners[] {
  let all: Corners[] = [{ low: [], high: [] }];
  for (const [column, ranges] of product.entries()) {
    const places = scales[column]?.places;
    all = all.flatMap(({ low, high }) =>
      ranges.map(({ first, last }) => ({
        low: [...low, places?.get(first) ?? 0],
        high: [...high, places?.get(last + 1n) ?? 0],
      })),
    );
  }
  return all;
}

/** What remains of a box outside the first `count` of those that are taken. */
function outside(box: Ranked, taken: readonly Ranked[], count: number): Ranked[] {
  let pieces = [box];
  for (let index = 0; index < count && pieces.length > 0; index++) {
    const other = taken[index] as Ranked;
    if (!meet(box, other)) continue;
    pieces = pieces.flatMap((piece) => (meet(piece, other) ? without(piece, other) : [piece]));
  }
  return pieces;
}

function meet(a: Ranked, b: Ranked): boolean {
  for (let column = 0; column < a.low.length; column++) {
    if ((a.low[column] ?? 0) >= (b.high[column] ?? 0)) return false;
    if ((b.low[column] ?? 0) >= (a.high[column] ?? 0)) return false;
  }
  return true;
}

/** Column by column what is below and above; the rest lies within the other. */
function without({ owner, low, high }: Ranked, other: Ranked): Ranked[] {
  const pieces: Ranked[] = [];
  let [from, to] = [low, high];
  for (let column = 0; column < low.length; column++) {
    const [start, end] = [other.low[column] ?? 0, other.high[column] ?? 0];
    if ((from[column] ?? 0) < start) {
      pieces.push({ owner, low: from, high: to.with(column, start) });
      from = from.with(column, start);
    }
    if ((to[column] ?? 0) > end) {
      pieces.push({ owner, low: from.with(column, end), high: to });
      to = to.with(column, end);
    }
  }
  return pieces;
}
