import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QUESTIONS, Round } from './round.ts';

const COUNT = QUESTIONS * 2 + 1;

test('a round asks about everything, a few at a time', () => {
  const round = new Round(() => Array.from({ length: COUNT }, (_, index) => index));
  const asked: number[] = [];
  assert.deepEqual([round.isOpen, round.goOn(() => assert.fail())], [false, false]);
  round.begin();
  const ends = [0, 1, 2].map(() => round.goOn((each) => asked.push(each)));
  assert.deepEqual(ends, [false, false, true]);
  assert.deepEqual(
    asked,
    Array.from({ length: COUNT }, (_, index) => index),
  );
  assert.equal(round.isOpen, false);
});

test('what begins on the way is another round, of what there is by then; it ends all the same', () => {
  let list = Array.from({ length: COUNT }, () => 'old');
  const round = new Round(() => list);
  const asked: string[] = [];
  const goOn = (): boolean => round.goOn((each) => asked.push(each));
  round.begin();
  goOn();
  list = ['new'];
  round.begin();
  round.begin();
  assert.deepEqual([goOn(), goOn(), round.isOpen], [false, true, true]);
  assert.deepEqual([goOn(), round.isOpen], [true, false]);
  assert.deepEqual(asked, [...Array.from({ length: COUNT }, () => 'old'), 'new']);
});

test('a round about nothing has ended before it began', () => {
  const round = new Round<number>(() => []);
  round.begin();
  assert.equal(round.isOpen, false);
});

test('what there is to ask about is not gathered beforehand', () => {
  let given = 0;
  const endless = function* (): Generator<number, void, undefined> {
    for (; ; given++) yield given;
  };
  const round = new Round(endless);
  round.begin();
  assert.equal(
    round.goOn(() => {}),
    false,
  );
  assert.equal(given, QUESTIONS);
});
