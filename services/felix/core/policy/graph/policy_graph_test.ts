import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { PolicyInputs } from '../../../ports.ts';
import { compile } from '../compiler/compile.ts';
import type { NamedSet, Ruleset } from '../compiler/ruleset.ts';
import { fewestBlocks, worlds } from '../random/worlds.ts';
import { PolicyGraph } from './policy_graph.ts';
import type { RulesetChanges } from './ruleset_store.ts';

function plainSet(set: NamedSet): NamedSet {
  return { ...set, elements: new Map(set.elements) };
}

/** Without versions and laziness, so that it can be compared. */
function plain({ chains, sets }: Ruleset): unknown {
  return {
    chains: new Map(chains),
    sets: new Map([...sets].map(([name, set]) => [name, plainSet(set)])),
  };
}

/** What somebody has who carries the changes out on what was there. */
function patched(ruleset: Ruleset, { before, after }: RulesetChanges): Ruleset {
  const [chains, sets] = [new Map(ruleset.chains), new Map(ruleset.sets)];
  for (const name of before.chains.keys()) chains.delete(name);
  for (const [name, chain] of after.chains) chains.set(name, chain);
  for (const [name, set] of before.sets)
    if (!after.sets.has(name)) assert.ok(sets.delete(name), set.comment);
  for (const [name, set] of after.sets) {
    const elements = new Map(sets.get(name)?.elements);
    for (const element of before.sets.get(name)?.elements.keys() ?? []) {
      assert.ok(elements.delete(element), `${name} ${element}`);
    }
    for (const [element, verdict] of set.elements) elements.set(element, verdict);
    sets.set(name, { ...set, elements });
  }
  return { chains, sets };
}

const LISTS = [
  'localEndpoints',
  'workloadEndpoints',
  'networkPolicies',
  'globalNetworkPolicies',
  'tiers',
  'profiles',
  'networkSets',
  'globalNetworkSets',
  'endpointSlices',
] as const;

type Step = {
  readonly from: number;
  readonly list: (typeof LISTS)[number];
  readonly keep: readonly boolean[];
};

const steps = fc.array(
  fc.record<Step>({
    from: fc.nat(2),
    list: fc.constantFrom(...LISTS),
    keep: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 25 },
);

/** Replaces some elements of one list by those of another world; local endpoints are among the cluster's. */
function changed(
  now: PolicyInputs,
  { from, list, keep }: Step,
  all: readonly PolicyInputs[],
): PolicyInputs {
  const own: readonly unknown[] = (now[list] ?? []).filter((_, index) => keep[index]);
  const other: readonly unknown[] = (all[from]?.[list] ?? []).filter((_, index) => !keep[index]);
  const named = new Map(
    [...other, ...own].map((resource) => {
      const { metadata } = resource as { metadata: { namespace?: string; name: string } };
      return [`${metadata.namespace}/${metadata.name}`, resource];
    }),
  );
  const next = { ...now, [list]: [...named.values()] } as PolicyInputs;
  if (list !== 'workloadEndpoints') return next;
  return {
    ...next,
    localEndpoints: next.workloadEndpoints.filter(({ spec }) => spec.node === 'node'),
  };
}

const three = fc.array(worlds, { minLength: 3, maxLength: 3 });

test('after any changes the graph has what compile() makes of the same inputs', () => {
  fc.assert(
    fc.property(three, steps, fewestBlocks, (all, some, fewest) => {
      const options = { fewestBlocks: fewest };
      const graph = new PolicyGraph(options);
      let inputs = all[0] as PolicyInputs;
      let carried: Ruleset = { chains: new Map(), sets: new Map() };
      const earlier: { ruleset: Ruleset; expected: unknown }[] = [];
      for (const step of [undefined, ...some]) {
        if (step !== undefined) inputs = changed(inputs, step, all);
        if (step?.from === 2 && step.keep[0])
          inputs = { ...inputs, felixConfiguration: all[2]?.felixConfiguration };
        const changes = graph.update(inputs);
        const expected = plain(compile(inputs, options));
        assert.deepEqual(plain(changes.ruleset), expected);
        carried = patched(carried, changes);
        assert.deepEqual(plain(carried), expected);
        earlier.push({ ruleset: changes.ruleset, expected });
      }
      // Rulesets are values.
      for (const { ruleset, expected } of earlier) assert.deepEqual(plain(ruleset), expected);
    }),
    { numRuns: 150, endOnFailure: true },
  );
});

test('after an update that failed half-way the next one is as if it had never been tried', () => {
  fc.assert(
    fc.property(three, (all) => {
      const graph = new PolicyGraph();
      const [first, second, third] = all as [PolicyInputs, PolicyInputs, PolicyInputs];
      let carried = patched({ chains: new Map(), sets: new Map() }, graph.update(first));
      // Members and endpoints of this node come before tiers.
      const broken = {
        ...second,
        get tiers(): never {
          throw new Error('broken');
        },
      };
      assert.throws(() => graph.update(broken), /broken/);
      for (const inputs of [second, third]) {
        const changes = graph.update(inputs);
        const expected = plain(compile(inputs));
        assert.deepEqual(plain(changes.ruleset), expected);
        carried = patched(carried, changes);
        assert.deepEqual(plain(carried), expected);
      }
    }),
    { numRuns: 100, endOnFailure: true },
  );
});

test('the same inputs change nothing', () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const graph = new PolicyGraph();
      const { ruleset } = graph.update(world);
      const {
        before,
        after,
        ruleset: again,
      } = graph.update({
        ...world,
        networkPolicies: [...world.networkPolicies],
        felixConfiguration: world.felixConfiguration && { ...world.felixConfiguration },
      });
      assert.equal(before.chains.size + after.chains.size + before.sets.size + after.sets.size, 0);
      assert.equal(again.chains, ruleset.chains);
    }),
    { numRuns: 50, endOnFailure: true },
  );
});
