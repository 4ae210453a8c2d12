// The pseudo-random numbers that upstream takes (an additive lagged Fibonacci generator, seeded by a
// linear congruential one), so that a node starts at the block at which upstream's would.
import { STATE_AFTER_WARM_UP } from './random_state.ts';

export const LENGTH = 607;
export const TAP = 273;
const MODULUS = (1n << 31n) - 1n;
const WORD_BITS = 64;

let state: readonly bigint[] | undefined;

/** Lehmer's generator (1951): x → 48271 x mod 2^31-1. */
export function nextSeed(x: bigint): bigint {
  return (48271n * x) % MODULUS;
}

export class AdditiveRandom {
  readonly #words: bigint[] = [];
  #feed = LENGTH - TAP;
  #tap = 0;

  /** @param seed not negative */
  constructor(seed: bigint) {
    state ??= decodeState();
    let x = seed % MODULUS;
    if (x === 0n) x = 89482311n;
    for (let i = 0; i < 20; i++) x = nextSeed(x);
    for (const mixed of state) {
      const first = nextSeed(x);
      const second = nextSeed(first);
      x = nextSeed(second);
      this.#words.push(((first << 40n) ^ (second << 20n) ^ x ^ mixed) & 0xffff_ffff_ffff_ffffn);
    }
  }

  /** The next 32 bits. */
  next(): bigint {
    this.#tap = (this.#tap + LENGTH - 1) % LENGTH;
    this.#feed = (this.#feed + LENGTH - 1) % LENGTH;
    const sum = (this.#words[this.#feed] ?? 0n) + (this.#words[this.#tap] ?? 0n);
    this.#words[this.#feed] = BigInt.asUintN(WORD_BITS, sum);
    return BigInt.asUintN(63, sum) >> 31n;
  }

  /** A number from 0 to below `limit`, which is at least 1. */
  below(limit: bigint): bigint {
    const bits = limit.toString(2).length;
    const words = Math.ceil(bits / WORD_BITS);
    for (;;) {
      let value = 0n;
      for (let word = 0; word < words; word++) {
        const low = this.next();
        value |= ((this.next() << 32n) | low) << BigInt(word * WORD_BITS);
      }
      value = BigInt.asUintN(bits, value);
      if (value < limit) return value;
    }
  }
}

function decodeState(): bigint[] {
  const bytes = Uint8Array.from(atob(STATE_AFTER_WARM_UP), (char) => char.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: LENGTH }, (_, i) => view.getBigUint64(i * 8, true));
}
