import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdditiveRandom, LENGTH, nextSeed, TAP } from './additive_random.ts';
import { startIndex } from './placement.ts';
import { STATE_AFTER_WARM_UP } from './random_state.ts';

const WARM_UP = 7_800_000_000_000n;
const MASK = (1n << 64n) - 1n;

/** A polynomial's coefficients modulo x^607 = x^334 + 1, the recurrence's own. */
function reduce(coefficients: bigint[]): bigint[] {
  for (let i = coefficients.length - 1; i >= LENGTH; i--) {
    const c = coefficients[i] ?? 0n;
    coefficients[i - LENGTH] = ((coefficients[i - LENGTH] ?? 0n) + c) & MASK;
    coefficients[i - TAP] = ((coefficients[i - TAP] ?? 0n) + c) & MASK;
  }
  return coefficients.slice(0, LENGTH);
}

function square(a: readonly bigint[]): bigint[] {
  const product = Array.from({ length: 2 * LENGTH - 1 }, () => 0n);
  for (const [i, x] of a.entries()) {
    if (x === 0n) continue;
    for (const [j, y] of a.entries()) product[i + j] = ((product[i + j] ?? 0n) + x * y) & MASK;
  }
  return reduce(product);
}

function shift(a: readonly bigint[]): bigint[] {
  return reduce([0n, ...a]);
}

/** Where a word is in the state: positions run backwards, the last step wrote at `feed`. */
function position(feed: number, stepsAgo: number): number {
  return (feed + stepsAgo) % LENGTH;
}

function stateAfterWarmUp(): bigint[] {
  let x = 1n;
  for (let i = 0; i < 20; i++) x = nextSeed(x);
  const seeded = Array.from({ length: LENGTH }, () => {
    const first = nextSeed(x);
    const second = nextSeed(first);
    x = nextSeed(second);
    return (first << 20n) ^ (second << 10n) ^ x;
  });
  const firstFeed = LENGTH - TAP - 1;
  const history = seeded.map((_, i) => seeded[position(firstFeed, LENGTH - i)] ?? 0n);
  let power = [1n, ...Array.from({ length: LENGTH - 1 }, () => 0n)];
  for (const bit of WARM_UP.toString(2)) {
    power = square(power);
    if (bit === '1') power = shift(power);
  }
  const lastFeed = LENGTH - 1 - Number((WARM_UP - 1n - BigInt(firstFeed) - 1n) % BigInt(LENGTH));
  const state = [...seeded];
  for (let i = 0; i < LENGTH; i++) {
    let sum = 0n;
    for (const [j, c] of power.entries()) sum += c * (history[j] ?? 0n);
    state[position(lastFeed, LENGTH - 1 - i)] = sum & MASK;
    power = shift(power);
  }
  return state;
}

test('STATE_AFTER_WARM_UP is the state after 7.8 * 10^12 steps', () => {
  const bytes = Buffer.alloc(LENGTH * 8);
  for (const [i, word] of stateAfterWarmUp().entries()) bytes.writeBigUInt64LE(word, i * 8);
  assert.equal(bytes.toString('base64'), STATE_AFTER_WARM_UP);
});

/** Printed by a Go program: FNV-1 of the name as seed, big.Int.Rand below 2^bits. */
const GOLDEN: readonly [name: string, bits: number, index: bigint][] = [
  ['k8s-master', 0, 0n],
  ['k8s-master', 1, 1n],
  ['k8s-master', 10, 943n],
  ['k8s-node01', 10, 343n],
  ['k8s-node02', 10, 235n],
  ['k8s-node01', 12, 1524n],
  ['k8s-node01', 58, 183607183769908682n],
  ['k8s-node01', 64, 8989178040737548857n],
  ['k8s-node02', 70, 1091292970473072948832n],
  ['a', 64, 5904752426154066752n],
  ['', 70, 1050148127157597977688n],
];

test('startIndex() is where upstream starts', () => {
  for (const [name, bits, index] of GOLDEN) {
    assert.equal(startIndex(name, 1n << BigInt(bits)), index, `${name} ${bits}`);
  }
});

test('below() stays below its limit', () => {
  const random = new AdditiveRandom(0n);
  for (let limit = 1n; limit < 1n << 70n; limit = limit * 3n + 1n) {
    const value = random.below(limit);
    assert.ok(value >= 0n && value < limit);
  }
});
