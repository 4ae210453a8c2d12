// Whatever happens to some speakers, when it is over each has the tables that follow from what there is.
// More, or one alone: BGP_WORLDS=1000 or BGP_WORLDS=17-17 node --test <this file>
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RandomWorld } from './random_world.ts';
import { ReferenceSpeaker, type Table, toldBy } from './reference_speaker.ts';

const STEPS = 40;
const [FIRST = 1, LAST = FIRST] = range(process.env['BGP_WORLDS'] ?? '8');

function range(text: string): readonly number[] {
  return text.includes('-') ? text.split('-').map(Number) : [1, Number(text)];
}

function tablesOf(world: RandomWorld): {
  readonly wanted: Record<string, Table>;
  readonly actual: Record<string, Table>;
} {
  const wanted: Record<string, Table> = {};
  const actual: Record<string, Table> = {};
  for (const node of world.nodes()) {
    const { name, speaker, kernel } = node;
    const reference = new ReferenceSpeaker(node);
    wanted[`${name}: import`] = reference.imports.wanted;
    actual[`${name}: import`] = reference.imports.actual;
    wanted[`${name}: Loc-RIB`] = reference.locRib();
    actual[`${name}: Loc-RIB`] = reference.actualLocRib();
    wanted[`${name}: aggregates`] = reference.aggregates();
    actual[`${name}: aggregates`] = reference.actualAggregates();
    wanted[`${name}: kernel`] = reference.kernelRoutes();
    actual[`${name}: kernel`] = kernel.describe();
    for (const [key, peer] of speaker.peers) {
      const told = world.toldTo(node, peer);
      if (told !== undefined) wanted[`${name}: by ${key}`] = told;
      actual[`${name}: by ${key}`] = toldBy(peer);
      wanted[`${name}: to ${key}`] = reference.adjRibOut(peer);
      actual[`${name}: to ${key}`] = reference.actualAdjRibOut(peer);
    }
  }
  return { wanted, actual };
}

test(`worlds ${FIRST} to ${LAST} come to rest as a computation from nothing has it`, () => {
  for (let seed = FIRST; seed <= LAST; seed++) {
    const world = new RandomWorld(seed);
    for (let step = 0; step < STEPS; step++) world.step();
    world.settle();
    assert.deepEqual(world.missingSessions(), [], `world ${seed}\n${world.log.join('\n')}`);
    const { wanted, actual } = tablesOf(world);
    for (const [what, table] of Object.entries(wanted)) {
      assert.deepEqual(actual[what], table, `world ${seed}, ${what}\n${world.log.join('\n')}`);
    }
    world.empty();
    for (const { name, speaker } of world.nodes()) {
      // What the last decision has answered is held until the next.
      speaker.flush();
      const { prefixes, attributes, paths } = speaker.rib;
      const left = [prefixes.size, attributes.size, paths.size, [...attributes.nextHops()].length];
      assert.deepEqual(left, [0, 0, 0, 0], `world ${seed}, ${name} holds what nobody needs`);
    }
  }
});
