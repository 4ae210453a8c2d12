import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelPort } from '../../ports.ts';
import { meshPlay } from './mesh_play.ts';
import type { Play } from './play.ts';
import { Stage } from './stage.ts';
import { tablePlay } from './table_play.ts';

const NOWHERE: KernelPort = {
  list: () => [],
  read: (_visit, _visitOther, done) => done(true),
  apply: (_changes, done) => done([]),
  removeWays: (prefixes, onGone) => onGone(prefixes, true),
  removeStrays: () => {},
  resolve: () => ({ gateway: undefined, interfaceIndex: 1 }),
  matchedLength: () => undefined,
  linkLocalAddress: () => undefined,
  interfaceIndex: () => undefined,
  interfaceName: () => undefined,
};

/** What there is after each step, without repetitions. */
function course(play: Play): string[] {
  const stage = new Stage(NOWHERE);
  const seen: string[] = [];
  const look = (): void => {
    const text = `${stage.paths} paths, ${stage.kernelRoutes} routes`;
    if (seen.at(-1) !== text) seen.push(text);
  };
  for (const _ of stage.play(play)) look();
  look();
  return seen;
}

const NOTHING = '0 paths, 0 routes';

test('tables come, change and go', () => {
  const seen = course(tablePlay(6, 3));
  // Message by message first, then in one go; two peers tell the same.
  assert.deepEqual(seen.slice(0, 3), [NOTHING, '4 paths, 4 routes', '8 paths, 8 routes']);
  assert.deepEqual(seen.slice(-4), [
    '128 paths, 128 routes',
    '256 paths, 128 routes',
    '128 paths, 128 routes',
    NOTHING,
  ]);
});

test('the blocks of a mesh come and go', () => {
  const seen = course(meshPlay(6, 3));
  assert.deepEqual(seen.slice(0, 3), [NOTHING, '16 paths, 16 routes', '32 paths, 32 routes']);
  assert.deepEqual(seen.slice(-3), ['512 paths, 512 routes', '256 paths, 256 routes', NOTHING]);
});
