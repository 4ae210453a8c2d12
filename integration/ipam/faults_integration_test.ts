// As services/ipam/adapters/faults_test.ts, against a real etcd: the faults are played before and after
// its answers, in a random order whose seed is told. 5 s.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, test } from 'node:test';
import { chooserOf, FaultWorld } from '../../services/ipam/adapters/fault_world.ts';
import { IpamFixture, SKIP } from './fixture.ts';

const WORLDS = Number(process.env['FAULT_WORLDS'] ?? 6);

let fixture: IpamFixture;

before(async () => {
  if (SKIP === false) fixture = await IpamFixture.start();
});

after(() => fixture?.stop());

test('faults at every await, on a real etcd: one owner, no orphans, nothing lost', {
  skip: SKIP,
}, async (t) => {
  for (let count = 0; count < WORLDS; count++) {
    const seed = randomInt(2 ** 31);
    const world = new FaultWorld(fixture.store, chooserOf(seed));
    await world.play(4, 8).catch((cause: unknown) => {
      throw new assert.AssertionError({ message: `seed ${seed}: ${String(cause)}` });
    });
    t.diagnostic(`seed ${seed}: ${world.held.length} addresses were held`);
    await fixture.clear();
  }
});
