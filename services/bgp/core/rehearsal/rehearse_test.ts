import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { path, RibFiller } from '../../testing/paths.ts';
import { rehearse } from './rehearse.ts';

class Fixture {
  readonly clock = new FakeClock();
  readonly table = new RibFiller();
  played = 0;
  readonly end = rehearse(this.clock, this.table.rib, () => ({
    next: () => {
      this.played += 1;
      return this.played < 10;
    },
  }));

  learn(count: number): void {
    for (let index = 0; index < count; index++) {
      this.table.put(path({ prefix: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}/32` }));
    }
  }
}

test('rehearse() plays all scenes, and rests after each', () => {
  const fixture = new Fixture();
  fixture.clock.advance(6);
  assert.equal(fixture.played, 3);
  fixture.clock.advance(1_000);
  assert.equal(fixture.played, 10);
  assert.equal(fixture.clock.pending, 0);
});

test('rehearse() waits while peers tell something', () => {
  const fixture = new Fixture();
  fixture.learn(1);
  fixture.clock.advance(100);
  assert.equal(fixture.played, 0);
  fixture.clock.advance(4);
  assert.equal(fixture.played, 2);
});

test('rehearse() leaves it to a real table', () => {
  const fixture = new Fixture();
  fixture.learn(20_000);
  fixture.clock.advance(1_000);
  assert.equal(fixture.played, 0);
  assert.equal(fixture.clock.pending, 0);
});

test('rehearse() can be ended', () => {
  const fixture = new Fixture();
  fixture.end();
  assert.equal(fixture.clock.pending, 0);
});
