import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { carriedOut } from './carried_out.ts';
import { diff } from './diff.ts';
import {
  type BaseChain,
  type Chain,
  type ClassRef,
  type CounterRef,
  EMPTY_RULESET,
  type NamedSet,
  type Ruleset,
  type Verdict,
} from './ruleset.ts';

const NAMES = ['a/1', 'b/1', 'c/1'] as const;
const hook: BaseChain = { type: 'filter', hook: 'forward', priority: 0, policy: 'accept' };

const rules = fc.array(
  fc.constantFrom<Verdict>('accept', 'drop', 'jump c/1').map((verdict) => ({
    statements: [{ kind: 'verdict', verdict } as const],
  })),
  { maxLength: 3 },
);
const chain: fc.Arbitrary<Chain> = fc.record({
  base: fc.constantFrom(undefined, undefined, hook, { ...hook, policy: 'drop' as const }),
  rules,
});
const set: fc.Arbitrary<NamedSet> = fc.record({
  kind: fc.constant('set'),
  key: fc.constantFrom(['ipv4_addr'], ['ipv6_addr']),
  interval: fc.constant(false),
  elements: fc
    .array(fc.constantFrom('1', '2', '3'))
    .map((all) => new Map(all.map((e) => [e, undefined]))),
});
const map: fc.Arbitrary<NamedSet> = fc.record({
  kind: fc.constant('verdict-map'),
  key: fc.constant(['ifname']),
  interval: fc.constant(false),
  elements: fc
    .array(fc.tuple(fc.constantFrom('x', 'y'), fc.constantFrom<Verdict>('drop', 'goto c/1')))
    .map((all) => new Map(all)),
});
const classes: fc.Arbitrary<NamedSet> = fc.record({
  kind: fc.constant('class-map'),
  key: fc.constant(['ifname']),
  interval: fc.constant(false),
  elements: fc
    .array(fc.tuple(fc.constantFrom('x', 'y'), fc.constantFrom<ClassRef>('class one', 'class two')))
    .map((all) => new Map(all)),
});
const counting: fc.Arbitrary<NamedSet> = fc
  .uniqueArray(fc.constantFrom('1', '2', '3'), { minLength: 1 })
  .chain((own) =>
    fc
      .array(fc.tuple(fc.constantFrom('x', 'y'), fc.constantFrom(...own)))
      .map((all) => ({ own, all })),
  )
  .map(({ own, all }) => ({
    kind: 'counter-map',
    key: ['ifname'],
    interval: false,
    // The map gets its name, which its counters begin with, in rulesets below.
    counters: new Map(own.map((one) => [one, `rule ${one}`])),
    elements: new Map(all.map(([element, one]) => [element, `counter ${one}`])),
  }));
const some = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Map<string, T>> =>
  fc
    .uniqueArray(fc.tuple(fc.constantFrom(...NAMES), value), { selector: ([name]) => name })
    .map((all) => new Map(all));
const rulesets: fc.Arbitrary<Ruleset> = fc
  .record({ chains: some(chain), sets: some(fc.oneof(set, map, classes, counting)) })
  // What rules and verdicts name must exist.
  .map(({ chains, sets }) => ({
    chains: new Map([...chains, ['c/1', { rules: [] }]]),
    sets: new Map([...sets].map(([name, one]) => [name, named(name, one)])),
  }));

function named(name: string, one: NamedSet): NamedSet {
  if (one.counters === undefined) return one;
  return {
    ...one,
    counters: new Map([...one.counters].map(([part, of]) => [`${name}/${part}`, of])),
    elements: new Map(
      [...one.elements].map(([element, value]): [string, CounterRef] => [
        element,
        `counter ${name}/${value?.split(' ')[1]}`,
      ]),
    ),
  };
}

test('diff() leads from any ruleset to any other', () => {
  fc.assert(
    fc.property(rulesets, fc.option(rulesets, { nil: undefined }), (desired, actual) => {
      const result = carriedOut(diff(desired, actual), actual);
      assert.deepEqual(diff(desired, result), []);
      assert.deepEqual(
        [...(result?.chains.keys() ?? [])].toSorted(),
        [...desired.chains.keys()].toSorted(),
      );
      assert.deepEqual(
        [...(result?.sets.keys() ?? [])].toSorted(),
        [...desired.sets.keys()].toSorted(),
      );
    }),
    { numRuns: 2000 },
  );
});

test('diff() keeps a stray counter that is wanted, and removes the others', () => {
  const wanted: NamedSet = {
    kind: 'counter-map',
    key: ['ifname'],
    interval: false,
    counters: new Map([['m/1', 'rule 1']]),
    elements: new Map([['x', 'counter m/1']]),
  };
  const desired = { chains: new Map(), sets: new Map([['m', wanted]]) };
  const actual = { ...EMPTY_RULESET, strayCounters: ['m/1', 'm/2', 'other'] };
  assert.deepEqual(
    diff(desired, actual).map((command) => `${command.kind} ${'name' in command && command.name}`),
    ['add-set m', 'add-elements false', 'delete-counter m/2', 'delete-counter other'],
  );
  const result = carriedOut(diff(desired, actual), actual);
  assert.deepEqual(diff(desired, result), []);
});

test('diff() is empty only for the same ruleset', () => {
  fc.assert(
    fc.property(rulesets, rulesets, (a, b) => {
      assert.equal(diff(a, b).length === 0, diff(b, a).length === 0);
      assert.deepEqual(diff(a, structuredClone(a)), []);
    }),
  );
});

function dispatch(elements: Map<string, Verdict>): NamedSet {
  return { kind: 'verdict-map', key: ['ifname'], interval: false, elements };
}

test('diff() of one more endpoint is one element', () => {
  const chains = new Map<string, Chain>([['a/1', { rules: [] }]]);
  const actual = { chains, sets: new Map([['d/1', dispatch(new Map([['cali1', 'goto a/1']]))]]) };
  const more = new Map<string, Verdict>([
    ['cali1', 'goto a/1'],
    ['cali2', 'goto a/1'],
  ]);
  assert.deepEqual(diff({ chains, sets: new Map([['d/1', dispatch(more)]]) }, actual), [
    {
      kind: 'add-elements',
      set: 'd/1',
      key: ['ifname'],
      interval: false,
      elements: [['cali2', 'goto a/1']],
    },
  ]);
});

test('diff() makes an absent table, also an empty one', () => {
  assert.deepEqual(diff(EMPTY_RULESET, undefined), [{ kind: 'add-table' }]);
  assert.deepEqual(diff(EMPTY_RULESET, EMPTY_RULESET), []);
});
