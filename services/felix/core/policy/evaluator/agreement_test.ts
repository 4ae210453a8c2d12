import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress } from '@calico/ip';
import * as fc from 'fast-check';
import type { PolicyInputs } from '../../../ports.ts';
import { compile } from '../compiler/compile.ts';
import { explain } from '../explain/explain.ts';
import { arrivals, packets } from '../random/packets.ts';
import { fewestBlocks, lookupWorlds, ruleWorlds, worlds } from '../random/worlds.ts';
import { judge } from '../reference/judge.ts';
import { maskedMaps } from './masked_maps.ts';
import type { Packet } from './packet.ts';
import { evaluate } from './ruleset_evaluator.ts';

function show(packet: Packet): string {
  const { source, destination, dialled, ...rest } = packet;
  return JSON.stringify({
    ...rest,
    source: formatAddress(source),
    destination: formatAddress(destination),
    dialled: dialled?.port,
  });
}

/** Fails when the evaluators differ; answers how often each outcome was. */
function compare(
  worldsTried: fc.Arbitrary<PolicyInputs>,
  packetsTried: fc.Arbitrary<Packet>,
  numRuns: number,
): { accept: number; drop: number } {
  const counts = { accept: 0, drop: 0 };
  fc.assert(
    fc.property(
      worldsTried,
      fc.array(packetsTried, { minLength: 15, maxLength: 30 }),
      fewestBlocks,
      (world, some, fewest) => {
        const ruleset = compile(world, { fewestBlocks: fewest });
        for (const packet of some) {
          const { outcome, trace } = evaluate(ruleset, packet);
          counts[outcome]++;
          assert.equal(outcome, judge(world, packet), `${show(packet)}\n${trace.join('\n')}`);
        }
      },
    ),
    { numRuns },
  );
  return counts;
}

// Neither outcome may be rare, or the tests would say little.
test('the compiled ruleset does what the policies say, for any packet in any world', () => {
  const { accept, drop } = compare(worlds, packets, 300);
  assert.ok(accept > 1000 && drop > 1000, `${accept} accepted, ${drop} dropped`);
});

test('one compiled rule matches what the rule says, for any rule and packet', () => {
  const { accept, drop } = compare(ruleWorlds, arrivals, 500);
  assert.ok(accept > 1000 && drop > 1000, `${accept} accepted, ${drop} dropped`);
});

/** Of what is not cut into blocks: a few rules and endpoints. */
const MOST_ELEMENTS = 400;

test('look-ups decide as their rules do one after the other, and name the one that decided', () => {
  let lookups = 0;
  let decided = 0;
  let masked = 0;
  fc.assert(
    fc.property(
      lookupWorlds,
      fc.array(packets, { minLength: 15, maxLength: 30 }),
      fewestBlocks,
      (world, some, fewest) => {
        const ruleset = compile(world, { fewestBlocks: fewest });
        const blocks = maskedMaps(ruleset);
        masked += blocks.size;
        for (const [name, { kind, elements }] of ruleset.sets) {
          lookups += Number(kind === 'counter-map');
          // No range of ports is written out one by one.
          const most = blocks.has(name) ? 1024 : MOST_ELEMENTS;
          assert.ok(elements.size <= most, `${elements.size} elements in ${name}`);
        }
        for (const packet of some) {
          const { allowed, directions, matchedRules } = explain(world, ruleset, packet);
          assert.equal(allowed, judge(world, packet) === 'accept', show(packet));
          // The rule that the policies say, not just one of the same action.
          const last = matchedRules.at(-1) ?? '';
          if (!/ rule \d+ (Allow|Deny)$/u.test(last)) continue;
          decided += 1;
          const expected = directions.map(({ direction, decidedBy }) =>
            decidedBy.replace(' rule ', ` ${direction} rule `),
          );
          assert.ok(
            expected.some((one) => last.endsWith(one)),
            `${last} instead of ${expected.join(', ')}\n${show(packet)}`,
          );
        }
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(lookups > 200 && decided > 1000, `${lookups} look-ups, ${decided} decisions`);
  assert.ok(masked > 0, `${masked} look-ups of blocks`);
});

test('compile() names everything the same in any order of its inputs', () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const reversed = {
        ...world,
        localEndpoints: world.localEndpoints.toReversed(),
        workloadEndpoints: world.workloadEndpoints.toReversed(),
        networkPolicies: world.networkPolicies.toReversed(),
        globalNetworkPolicies: world.globalNetworkPolicies.toReversed(),
        tiers: world.tiers.toReversed(),
        networkSets: world.networkSets.toReversed(),
      };
      assert.deepEqual(compile(reversed), compile(world));
    }),
    { numRuns: 100 },
  );
});
