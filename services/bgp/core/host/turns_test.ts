import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { Turns } from './turns.ts';

/** What is done, one list per turn. */
function fixture() {
  const clock = new FakeClock(0);
  const ends: (() => void)[] = [];
  const turns = new Turns(clock, (end) => ends.push(end));
  const done: string[] = [];
  const work = (name: string, ms: number, then?: () => void): void => {
    turns.defer(() => {
      clock.advance(ms);
      done.push(name);
      then?.();
    });
  };
  const turn = (): string[] => {
    assert.ok(ends.length <= 1, 'a turn ends once');
    ends.shift()?.();
    return done.splice(0);
  };
  return { clock, turns, work, turn };
}

test('whoever puts work off shares one turn, and first comes first', () => {
  const { work, turn } = fixture();
  for (const name of ['a', 'b', 'c', 'd']) work(name, 2);
  assert.deepEqual([turn(), turn(), turn()], [['a', 'b'], ['c', 'd'], []]);
});

test('what is put off by work of a turn is done in the next, also when there is time', () => {
  const { work, turn } = fixture();
  work('a', 0, () => work('again', 0));
  work('b', 0);
  assert.deepEqual([turn(), turn(), turn()], [['a', 'b'], ['again'], []]);
});

test('what a turn began with counts, but something that waits is always done', () => {
  const { clock, turns, work, turn } = fixture();
  turns.begin();
  clock.advance(20);
  assert.deepEqual([turns.isOver, turns.isReadingOver], [true, true]);
  work('a', 1);
  work('b', 1);
  assert.deepEqual(turn(), ['a']);
  assert.deepEqual([turns.isOver, turns.isReadingOver], [false, false]);
  assert.deepEqual(turn(), ['b']);
});

test('work that fails does not hold up what waits behind it', () => {
  const { work, turn } = fixture();
  work('a', 0, () => {
    throw new Error('no');
  });
  work('b', 0);
  assert.throws(turn, /no/);
  assert.deepEqual(turn(), ['a', 'b']);
});
