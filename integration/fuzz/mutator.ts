// Damages bytes, reproducibly.

/** xorshift32: the same numbers for the same seed, on every runtime. */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Close seeds would begin with close numbers.
    this.#state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) | 1;
  }

  /** 0 to bound - 1. */
  below(bound: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) % bound;
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new RangeError('Cannot pick from "[]": it is empty');
    return found;
  }
}

/** Values at which lengths, counts and bits go over. */
const EDGES = [0, 1, 2, 3, 4, 5, 7, 8, 16, 19, 20, 23, 24, 31, 32, 33, 64, 127, 128, 129, 254, 255];

/** Long enough for every length that two octets say, short enough for speed. */
const LONGEST = 4_200;

/**
 * A damaged copy of one of the seeds.
 * @param from bytes before this offset stay as they are
 */
export function mutate(random: Random, seeds: readonly Uint8Array[], from: number): Uint8Array {
  let bytes: Uint8Array = random.pick(seeds).slice();
  for (let steps = 1 + random.below(4); steps > 0; steps--) {
    bytes = damage(random, bytes, seeds, from);
  }
  return bytes;
}

function damage(
  random: Random,
  bytes: Uint8Array,
  seeds: readonly Uint8Array[],
  from: number,
): Uint8Array {
  const length = bytes.length - from;
  if (length <= 0) return random.pick(seeds).slice();
  const at = from + random.below(length);
  switch (random.below(8)) {
    case 0:
      bytes[at] = random.below(256);
      return bytes;
    case 1:
      bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      return bytes;
    case 2:
      bytes[at] = random.pick(EDGES);
      return bytes;
    case 3:
      bytes[at] = (bytes[at] as number) + (random.oneIn(2) ? 1 : 255);
      return bytes;
    case 4:
      return bytes.slice(0, at);
    case 5: {
      const gap = 1 + random.below(Math.min(8, bytes.length - at));
      return joined(bytes.subarray(0, at), bytes.subarray(at + gap));
    }
    case 6: {
      // A piece of this one twice: what may occur once occurs twice.
      const end = at + 1 + random.below(Math.min(40, bytes.length - at));
      return joined(bytes.subarray(0, end), bytes.subarray(at));
    }
    default: {
      const other = random.pick(seeds);
      const start = random.below(other.length);
      const piece = other.subarray(start, start + 1 + random.below(60));
      return joined(bytes.subarray(0, at), piece, bytes.subarray(at));
    }
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole.subarray(0, LONGEST);
}
