import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NAMED } from '../kernel/shortened.ts';
import { Repairs } from './repairs.ts';

const MINUTE_MS = 60_000;

function start() {
  const clock = { time: 0, now: () => clock.time };
  const logged: string[] = [];
  const repairs = new Repairs(clock, {
    warn: (_message, fields) => void logged.push(JSON.stringify(fields)),
  });
  return { clock, logged, repairs };
}

function sentence(route: string): string {
  return `Route "${route}" was removed or changed by someone else: restored`;
}

function rest(more: number): string {
  return `${more} more routes were removed or changed by someone else: restored`;
}

function routes(from: string, count = NAMED): string[] {
  return Array.from({ length: count }, (_, index) => `${from}.${index}`);
}

test('what was put right is logged once, and remembered for ten minutes', () => {
  const { clock, logged, repairs } = start();
  repairs.add(['a', 'b'], 2);
  clock.time = 5 * MINUTE_MS;
  repairs.add(['a'], 1);
  assert.deepEqual(logged, ['{"routes":["a","b"]}', '{"routes":["a"]}']);
  assert.deepEqual(repairs.messages(), ['b', 'a'].map(sentence));
  clock.time = 10 * MINUTE_MS;
  assert.deepEqual(repairs.messages(), [sentence('a')]);
  clock.time = 15 * MINUTE_MS;
  assert.deepEqual(repairs.messages(), []);
});

test('of very many the first are named, in the log and in the report, and the others counted', () => {
  const { clock, logged, repairs } = start();
  repairs.add(routes('a'), 1_000_000);
  assert.match(logged.join(), /"a.19","999980 more routes were restored"]}$/);
  assert.deepEqual(repairs.messages(), [...routes('a').map(sentence), rest(999_980)]);
  // Several times.
  clock.time = MINUTE_MS;
  for (const name of ['b', 'c', 'c']) repairs.add(routes(name), NAMED + 1);
  assert.deepEqual(repairs.messages(), [...routes('c').map(sentence), rest(1_000_023)]);
  clock.time = 10 * MINUTE_MS;
  assert.deepEqual(repairs.messages(), [...routes('c').map(sentence), rest(NAMED + 3)]);
  clock.time = 11 * MINUTE_MS;
  assert.deepEqual(repairs.messages(), []);
});
