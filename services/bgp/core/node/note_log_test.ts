import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Note } from '../speaker/events.ts';
import { NoteLog } from './note_log.ts';

function malformed(peer: string, attribute: number): Note {
  const problem = 'length "3" is not 4';
  return { kind: 'malformed', peer, attribute, treatment: 'treat-as-withdraw', problem };
}

test('the same fault of a peer is said at once, and then once a minute with how often', () => {
  const lines: string[] = [];
  const write = (message: string, fields: object = {}): void => {
    const { peer, attribute, count } = fields as Record<string, string | number>;
    lines.push(
      `${message}: ${[peer, attribute, count].filter((each) => each !== undefined).join(', ')}`,
    );
  };
  const log = new NoteLog({ info: write, warn: write });
  const pass = (from: number, to: number): void => {
    for (let now = from; now < to; now += 1_000) log.maintain(now);
  };
  for (let each = 0; each < 1_000; each++) log.take(malformed('a', 4), 0);
  log.take(malformed('a', 5), 0);
  log.take(malformed('b', 4), 0);
  const first = 'peer sent a malformed update';
  assert.deepEqual(lines.splice(0), [`${first}: a, 4`, `${first}: a, 5`, `${first}: b, 4`]);
  pass(1_000, 60_000);
  assert.deepEqual(lines, []);
  pass(60_000, 90_000);
  assert.deepEqual(lines.splice(0), ['peer sent more malformed updates: a, 4, 999']);
  log.take(malformed('a', 5), 90_000);
  log.take(malformed('a', 4), 90_000);
  assert.deepEqual(lines.splice(0), [`${first}: a, 5`]);
  pass(90_000, 150_000);
  assert.deepEqual(lines.splice(0), ['peer sent more malformed updates: a, 4, 1']);
  pass(150_000, 300_000);
  assert.deepEqual(lines, [], 'what is over is said no more');
  for (let each = 0; each < 3; each++) log.take(malformed('a', 4), 300_000);
  log.take(malformed('b', 4), 300_000);
  assert.deepEqual(lines.splice(0), [`${first}: a, 4`, `${first}: b, 4`]);
  log.stop();
  log.stop();
  assert.deepEqual(lines, ['peer sent more malformed updates: a, 4, 2'], 'what was held back');
});
