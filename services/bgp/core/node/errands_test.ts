import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { Turns } from '../host/turns.ts';
import { Errands, type Steps } from './errands.ts';

function* failing(): Steps<void> {
  yield;
  throw new Error('no such route');
}

function fixture() {
  const clock = new FakeClock(0);
  const ends: (() => void)[] = [];
  const turns = new Turns(clock, (end) => ends.push(end));
  const done: string[] = [];
  function* steps(name: string, count: number, ms = 1): Steps<string> {
    for (let step = 0; step < count; step++) {
      clock.advance(ms);
      done.push(name);
      yield;
    }
    return name;
  }
  /** The turn that runs ends. What was done in it. */
  const turn = (): string => {
    for (const end of ends.splice(0)) end();
    return done.splice(0).join('');
  };
  return { errands: new Errands(turns), turns, steps, turn };
}

test('what is small is done at once', async () => {
  const { errands, steps, turn } = fixture();
  const outcome = errands.run('a', steps('a', 3));
  assert.equal(turn(), 'aaa');
  assert.equal(await outcome, 'a');
});

test('what is long takes a part of each turn, and clients take turns', async () => {
  const { errands, steps, turn } = fixture();
  const all = [
    errands.run('a', steps('a', 6)),
    errands.run('a', steps('A', 2)),
    errands.run('b', steps('b', 3)),
  ];
  // What the first was given at once, and the step that is always done.
  assert.equal(turn(), 'aaaa');
  assert.deepEqual([turn(), turn(), turn(), turn()], ['bab', 'abA', 'A', '']);
  assert.deepEqual(await Promise.all(all), ['a', 'A', 'b']);
});

test('many small steps are done also in a turn that others have used up', async () => {
  const { errands, turns, steps, turn } = fixture();
  turns.begin();
  const busy = steps('busy', 1, 5);
  busy.next();
  const outcome = errands.run('a', steps('a', 16, 0.125));
  assert.deepEqual([turn(), turn()], ['busyaaaaaaaa', 'aaaaaaaa']);
  assert.equal(await outcome, 'a');
});

test('a turn that others have used up is not for errands', async () => {
  const { errands, turns, steps, turn } = fixture();
  turns.begin();
  const busy = steps('busy', 1, 5);
  busy.next();
  const outcome = errands.run('a', steps('a', 3));
  assert.deepEqual([turn(), turn()], ['busya', 'aa']);
  assert.equal(await outcome, 'a');
});

test('an errand that fails ends, and only that one', async () => {
  const { errands, steps, turn } = fixture();
  const first = errands.run('a', failing());
  const second = errands.run('a', steps('a', 1));
  await assert.rejects(first, /no such route/);
  turn();
  assert.equal(await second, 'a');
});
