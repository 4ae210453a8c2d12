// From any state to any state, by any way: the end is that of a fresh computation, and on the way no packet is let
// through that both the state before and the state after forbid.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { carriedOut, diff } from '@calico/nftables';
import * as fc from 'fast-check';
import type { PolicyInputs } from '../../../ports.ts';
import { compile } from '../compiler/compile.ts';
import type { Ruleset } from '../compiler/ruleset.ts';
import { PolicyGraph } from '../graph/policy_graph.ts';
import { packets } from '../random/packets.ts';
import { fewestBlocks, worlds } from '../random/worlds.ts';
import { judge } from '../reference/judge.ts';
import { evaluate } from './ruleset_evaluator.ts';
import { EXPANDERS } from './state_lists.ts';

/** The same chains and sets, whatever their order. */
function contents({ chains, sets }: Ruleset): unknown {
  return {
    chains: [...chains].toSorted(byName).map(([name, { base, rules }]) => [name, base, rules]),
    sets: [...sets]
      .toSorted(byName)
      .map(([name, set]) => [name, { ...set, elements: [...set.elements].toSorted(byName) }]),
  };
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

for (const [way, expand] of Object.entries(EXPANDERS)) {
  test(`any states, ${way}: the end is fresh, and nothing opens in between`, () => {
    let opened = 0;
    fc.assert(
      fc.property(
        fc.array(worlds, { minLength: 2, maxLength: 3 }),
        fc.array(packets, { minLength: 10, maxLength: 20 }),
        fewestBlocks,
        (states, some, fewest) => {
          const last = states.at(-1) as PolicyInputs;
          const graph = new PolicyGraph({ fewestBlocks: fewest });
          let kernel: Ruleset | undefined;
          let held: Ruleset | undefined;
          let before: PolicyInputs | undefined;
          for (const state of expand(states)) {
            // A transaction is one step: what it makes is the only thing that packets can meet.
            const changes = graph.update(state);
            const transaction =
              held === changes.previous
                ? diff(changes.after, changes.before)
                : diff(changes.ruleset, kernel);
            kernel = carriedOut(transaction, kernel) as Ruleset;
            held = changes.ruleset;
            for (const packet of some) {
              if (evaluate(kernel, packet).outcome !== 'accept') continue;
              opened += 1;
              const isPermitted = [before, state].some(
                (one) => one && judge(one, packet) === 'accept',
              );
              assert.ok(isPermitted, 'a packet passes that the states before and after forbid');
            }
            before = state;
          }
          assert.ok(kernel);
          assert.deepEqual(contents(kernel), contents(compile(last, { fewestBlocks: fewest })));
        },
      ),
      { numRuns: 12 },
    );
    assert.ok(opened > 20, `${opened} packets passed`);
  });
}
