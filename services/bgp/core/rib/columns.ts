// Columns of a table whose rows are small integers: typed arrays that grow, without an object per row.

type Column = Uint8Array | Uint16Array | Int32Array | Uint32Array | Float64Array;

/** Rows from which on a table counts as large. */
const LARGE = 1 << 16;
/** A large table gets so many times the room. */
const RESERVE = 32;
/** More rows than a table gets within a turn of the event loop. */
const APART = 1 << 15;
const PLACES = 32;
/** Large columns that there have been. */
let count = 0;

/**
 * The column, or a longer copy of it that has a place for the row. New places hold zero. Columns are of many
 * types, so where rows come by the million the caller compares first: a call costs ten times as much.
 *
 * A large column is made far longer than is needed: memory that nobody has written to yet is an address
 * and nothing else, the kernel gives pages as they are written. So a large table does not copy itself
 * again and again, leaves no old copies to the garbage collector, and a column that holds nothing but
 * zeros costs nothing, as long as nobody writes them.
 *
 * Large columns have many lengths: so those of one table are not all at their ends, and copied, at once. To copy
 * two million rows takes 4 to 7 ms.
 */
export function withRow<T extends Column>(column: T, row: number): T {
  if (row < column.length) return column;
  let length = Math.max(64, longerThan(column.length, row));
  if (length > LARGE) length += APART * (count++ % PLACES);
  const longer = new (column.constructor as new (length: number) => T)(length);
  longer.set(column);
  return longer;
}

function longerThan(before: number, row: number): number {
  let length = Math.max(before, 1);
  while (length <= row) length *= length < LARGE ? 2 : RESERVE;
  return length;
}

/** An empty column with the same room. */
export function emptyLike<T extends Column>(column: T): T {
  return new (column.constructor as new (length: number) => T)(column.length);
}

/** Copies the rows from `start` to before `end` into a column with the same room. */
export function copyRows<T extends Column>(from: T, to: T, start: number, end: number): void {
  if (start < from.length) to.set(from.subarray(start, end), start);
}

/** As copyRows(), where nearly all are zero: these are not written. */
export function copySparseRows(from: Int32Array, to: Int32Array, start: number, end: number): void {
  for (let row = start; row < Math.min(end, from.length); row++) {
    const value = from[row] as number;
    if (value !== 0) to[row] = value;
  }
}

/** How many rows all of these have places for. */
export function roomOf(...columns: readonly Column[]): number {
  return Math.min(...columns.map(({ length }) => length));
}

/** Numbers in the order in which they came. */
export class IntQueue {
  #ring = new Int32Array(64);
  #first = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(value: number): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[(this.#first + this.#size) & (this.#ring.length - 1)] = value;
    this.#size += 1;
  }

  /** The oldest; -1 when empty. */
  peek(): number {
    return this.#size === 0 ? -1 : (this.#ring[this.#first] as number);
  }

  /** Takes the oldest out; -1 when empty. */
  shift(): number {
    const value = this.peek();
    if (this.#size > 0) {
      this.#first = (this.#first + 1) & (this.#ring.length - 1);
      this.#size -= 1;
    }
    return value;
  }

  #grow(): void {
    const longer = new Int32Array(this.#ring.length * 2);
    const head = this.#ring.subarray(this.#first);
    longer.set(head);
    longer.set(this.#ring.subarray(0, this.#first), head.length);
    this.#ring = longer;
    this.#first = 0;
  }
}

/** Hands out small integers, those given back first. */
export class RowAllocator {
  #next: number;
  #free = new Int32Array(64);
  #freeCount = 0;

  /** @param first the smallest that is handed out */
  constructor(first = 0) {
    this.#next = first;
  }

  /** Another one, with the same rows in use. */
  copy(): RowAllocator {
    const copy = new RowAllocator(this.#next);
    copy.#free = withRow(copy.#free, this.#freeCount);
    copy.#free.set(this.#free.subarray(0, this.#freeCount));
    copy.#freeCount = this.#freeCount;
    return copy;
  }

  /** All rows in use are below. */
  get limit(): number {
    return this.#next;
  }

  take(): number {
    if (this.#freeCount > 0) {
      this.#freeCount -= 1;
      return this.#free[this.#freeCount] as number;
    }
    this.#next += 1;
    return this.#next - 1;
  }

  give(row: number): void {
    this.#free = withRow(this.#free, this.#freeCount);
    this.#free[this.#freeCount] = row;
    this.#freeCount += 1;
  }
}
