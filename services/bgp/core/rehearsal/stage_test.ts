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
  isLocal: () => false,
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

test('tables come, change and go, also with their peers', () => {
  const seen = course(tablePlay(8, 3, 'Enabled'));
  // Message by message first; two peers tell the same.
  assert.deepEqual(seen.slice(0, 3), [NOTHING, '2 paths, 2 routes', '4 paths, 4 routes']);
  const whole = [
    '320 paths, 320 routes',
    '640 paths, 320 routes',
    '320 paths, 320 routes',
    NOTHING,
  ];
  const rounds = [...whole, ...whole, ...whole];
  let met = 0;
  for (const each of seen.slice(1)) if (each === rounds[met]) met += 1;
  // Withdrawn, lost, withdrawn.
  assert.equal(met, rounds.length);
  assert.equal(seen.at(-1), NOTHING);
});

test('tables that are not programmed leave the kernel alone', () => {
  const seen = course(tablePlay(5, 0, 'Disabled'));
  assert.ok(seen.includes('640 paths, 0 routes'));
  assert.ok(seen.every((each) => each.endsWith(' 0 routes')));
  assert.equal(seen.at(-1), NOTHING);
});

test('the blocks of a mesh come and go, and who has left is back', () => {
  const seen = course(meshPlay(8, 3));
  assert.deepEqual(seen.slice(0, 3), [NOTHING, '16 paths, 16 routes', '32 paths, 32 routes']);
  // All at once, and once more in several turns.
  assert.ok(seen.join('; ').includes(`${NOTHING}; 768 paths, 768 routes; ${NOTHING}`));
  assert.ok(seen.includes('256 paths, 256 routes'));
  assert.equal(seen.at(-1), NOTHING);
});
